/* Progress on standard error (-P): the share of the stored file that was used, rewritten in place every
 * PIPELINE_PROGRESS_EVENTS events when it has grown by more than a tenth of a percent. The bytes are those sysdig
 * 0.29.3 writes (it reads ahead, so its figures are some tens of kilobytes on). One thread at a time. */
#ifndef BURIN_CLI_PROGRESS_H
#define BURIN_CLI_PROGRESS_H

#include <stdint.h>

struct progress {
	double shown;
	int width; /* of the text on the screen */
};

/* As pipeline_opts.progress: ctx is a struct progress. */
void progress_show(void *ctx, uint64_t events, uint64_t pos_bytes, uint64_t size_bytes);
/* The last line. complete: the file was read to its end. */
void progress_end(struct progress *p, uint64_t pos_bytes, uint64_t size_bytes, int complete);

#endif
