#include <inttypes.h>
#include <stdio.h>

#include "cli/session.h"

void report_error(const char *file, const struct err *e)
{
	fprintf(stderr, "burin: ");
	if (file)
		fprintf(stderr, "%s: ", file);
	if (e->pos != ERR_NO_POS) {
		fprintf(stderr, "offset %" PRIu64, e->pos);
		if (e->pos_raw != ERR_NO_POS)
			fprintf(stderr, " (compressed offset %" PRIu64 ")", e->pos_raw);
		fprintf(stderr, ": ");
	}
	fprintf(stderr, "%s\n", e->msg);
}

void report_text_error(const char *what, const char *text, const struct err *e)
{
	if (e->pos == ERR_NO_POS) {
		fprintf(stderr, "burin: %s: %s\n", what, e->msg);
		return;
	}
	fprintf(stderr, "burin: %s:%" PRIu64 ": %s\n    ", what, e->pos + 1, e->msg);
	/* One column per byte: control characters would shift the caret. */
	for (const char *p = text; *p; p++)
		fputc((unsigned char)*p < ' ' ? ' ' : *p, stderr);
	fprintf(stderr, "\n    %*s^\n", (int)MIN(e->pos, (uint64_t)4096), "");
}
