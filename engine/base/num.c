#include "base/num.h"

const char num_pairs[200] __attribute__((nonstring)) =
	"00010203040506070809101112131415161718192021222324252627282930313233343536373839"
	"40414243444546474849505152535455565758596061626364656667686970717273747576777879"
	"8081828384858687888990919293949596979899";

/* Eight digits at a time, so that all but the first divisions are 32 bits wide. */
static char *num_8(char *p, uint32_t v)
{
	p = num_4(p, v / 10000);
	return num_4(p, v % 10000);
}

char *num_large(char *p, uint64_t v)
{
	uint64_t hi = v / 100000000;
	uint32_t lo = (uint32_t)(v % 100000000);

	if (hi < 100000000)
		p = num_u64(p, hi);
	else
		p = num_8(num_u64(p, hi / 100000000), (uint32_t)(hi % 100000000));
	return num_8(p, lo);
}
