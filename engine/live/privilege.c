#include "live/privilege.h"

#include <linux/capability.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

struct caps {
	struct __user_cap_header_struct h;
	struct __user_cap_data_struct d[2];
};

static bool load(struct caps *c)
{
	*c = (struct caps){.h = {_LINUX_CAPABILITY_VERSION_3, 0}};
	return !syscall(SYS_capget, &c->h, c->d);
}

bool privilege_has(unsigned cap)
{
	struct caps c;

	return load(&c) && c.d[cap / 32].effective >> cap % 32 & 1;
}

void privilege_drop(void)
{
	static const unsigned keep[] = {CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH,
					CAP_FOWNER, CAP_KILL,	      CAP_BPF,
					CAP_PERFMON};
	uint32_t mask[2] = {0};
	struct caps c;

	if (!load(&c))
		return;
	for (unsigned i = 0; i < sizeof(keep) / sizeof(*keep); i++)
		mask[keep[i] / 32] |= 1u << keep[i] % 32;
	for (int i = 0; i < 2; i++) {
		c.d[i].effective &= mask[i];
		c.d[i].permitted &= mask[i];
		c.d[i].inheritable &= mask[i];
	}
	syscall(SYS_capset, &c.h, c.d);
}
