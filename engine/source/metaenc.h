/* Encoders of the metadata blocks a trace begins with: the counterpart of source/meta.h, with its
 * structs. Every function appends bytes to a buffer; its sticky flag tells when memory ran out.
 * Lists are blocks of several entries: begin, add entries, end. Any thread. */
#ifndef BURIN_SOURCE_METAENC_H
#define BURIN_SOURCE_METAENC_H

#include "base/buf.h"
#include "source/block.h"
#include "source/meta.h"

enum { META_TEXT_MAX = 1023, META_LIST_MAX = 4096 }; /* readers refuse longer texts: they are cut */

void metaenc_section(struct buf *b);
void metaenc_machine(struct buf *b, const struct meta_machine *m);

enum meta_list {
	META_IFACES = BLK_IL_V2,
	META_USERS = BLK_UL_V2,
	META_THREADS = BLK_PL_V9,
	META_FDS = BLK_FDL_V2,
};
/* Opens a block; the result goes to metaenc_end. Blocks do not nest. */
size_t metaenc_begin(struct buf *b, enum meta_list kind);
void metaenc_end(struct buf *b, size_t begin);

void metaenc_iface(struct buf *b, const struct meta_iface *i);
void metaenc_user(struct buf *b, const struct meta_user *u);
void metaenc_thread(struct buf *b, const struct meta_thread *t);
/* The same with the shorter tail that 0.29.3 writes: no capabilities. */
void metaenc_thread_029(struct buf *b, const struct meta_thread *t);
/* First in a block of descriptors: whose they are. */
void metaenc_fds_of(struct buf *b, uint64_t tid);
void metaenc_fd(struct buf *b, const struct meta_fd *f);

#endif
