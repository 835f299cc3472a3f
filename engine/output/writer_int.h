/* Private to engine/output: inside of a writer. */
#ifndef BURIN_OUTPUT_WRITER_INT_H
#define BURIN_OUTPUT_WRITER_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "output/writer.h"

/* What becomes of the events of a type. */
enum writer_class {
	WC_LARGE = 1 << 0,    /* belongs into blocks with 32-bit lengths */
	WC_INTERNAL = 1 << 1, /* written though the filter rejects it */
	WC_CARRIES = 1 << 2,  /* fat files: kept, hidden */
	WC_PARTNER = 1 << 3,  /* fat files: enter event that may be kept for its exit */
	WC_GENERIC = 1 << 4,  /* carries a system call id that may need changing */
};

enum piece_state { PIECE_WAITING, PIECE_PACKING, PIECE_PACKED };
struct piece {
	struct piece *next;
	enum piece_state state; /* GUARDED_BY(lock) */
	struct buf in, out;	/* in: the filler's, then the packer's; out: the packer's, then the writing thread's */
};

struct spare_packer {
	struct spare_packer *next;
	struct packer *p;
};

struct writer {
	/* IMMUTABLE during a run */
	const char *path;
	struct writer_opts o;
	bool filtered;
	uint8_t cls[EV_CODE_COUNT]; /* enum writer_class */

	/* OWNED_BY(release turn) */
	struct piece *fill; /* NULL before the first byte of a piece */

	/* The file. OWNED_BY(release turn) of plain files, else of whoever has set writing. */
	int fd;
	bool own_fd;

	pthread_mutex_t lock; /* rank: taken last, nothing is called with it held */
	pthread_cond_t moved; /* a piece was packed or written */
	/* GUARDED_BY(lock) */
	struct piece *head, *tail; /* queue in the order of the file */
	unsigned queued;
	bool writing;
	struct piece *spare;
	struct spare_packer *packers;
	struct err failed; /* code != 0: nothing more is written */
	atomic_uint waiting; /* pieces nobody compresses yet; relaxed: a hint outside the lock */
};

#endif
