#include "cli/progress.h"

#include <stdio.h>

static double percent(uint64_t pos, uint64_t size)
{
	return size ? 100.0 * (double)pos / (double)size : 0;
}

void progress_show(void *ctx, uint64_t events, uint64_t pos_bytes, uint64_t size_bytes)
{
	struct progress *p = ctx;
	double pct = percent(pos_bytes, size_bytes);

	(void)events;
	if (!size_bytes || pct - p->shown <= 0.1)
		return;
	fprintf(stderr, "\r%*s\r", p->width, "");
	p->width = fprintf(stderr, "%.2lf", pct);
	p->shown = pct;
	fflush(stderr);
}

void progress_end(struct progress *p, uint64_t pos_bytes, uint64_t size_bytes, int complete)
{
	double pct = complete ? 100.0 : percent(pos_bytes, size_bytes);

	fprintf(stderr, "\r%*s\r%*s\r%.2lf\n", p->width, "", p->width, "", pct);
	*p = (struct progress){0};
}
