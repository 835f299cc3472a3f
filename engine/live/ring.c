#include "live/ring.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

enum { RECORD_HEADER = 8 };
static const uint32_t RECORD_BUSY = 1u << 31, RECORD_DISCARDED = 1u << 30;

int ring_open(struct ring *r, int fd, uint16_t cpu, size_t size, struct err *e)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *p;

	*r = (struct ring){.fd = fd, .cpu = cpu, .size = size};
	r->consumer_page = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (r->consumer_page == MAP_FAILED) {
		r->consumer_page = NULL;
		goto fail;
	}
	p = mmap(NULL, page + 2 * size, PROT_READ, MAP_SHARED, fd, (off_t)page);
	if (p == MAP_FAILED)
		goto fail;
	r->producer_page = p;
	r->data = p + page;
	r->pos = r->end = *(const uint64_t *)r->consumer_page;
	return 0;
fail:
	err_errno(e, "can't map the ring of cpu %u", cpu);
	ring_close(r);
	return e ? e->code : -ENOMEM;
}

void ring_close(struct ring *r)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (r->producer_page)
		munmap((void *)r->producer_page, page + 2 * r->size);
	if (r->consumer_page)
		munmap(r->consumer_page, page);
	if (r->fd >= 0)
		close(r->fd);
	*r = (struct ring){.fd = -1};
}

/* Length word of the record at the front. Acquire: pairs with the kernel's release when it submits
 * the record; without it the record's bytes could be read before they were written. */
static uint32_t front(const struct ring *r)
{
	const _Atomic uint32_t *len = (const void *)(r->data + (r->pos & (r->size - 1)));

	return atomic_load_explicit(len, memory_order_acquire);
}

void ring_look(struct ring *r, uint64_t now)
{
	/* Acquire: pairs with the kernel's release of the position; the busy marks of the records
	 * before it are visible then. */
	r->end = atomic_load_explicit((const _Atomic uint64_t *)r->producer_page,
				      memory_order_acquire);
	r->looked = now;
	if (r->end - r->pos > r->most)
		r->most = r->end - r->pos;
}

bool ring_peek(struct ring *r, struct ring_record *rec)
{
	while (r->pos < r->end) {
		uint32_t len = front(r);

		if (len & RECORD_BUSY)
			return false;
		if (!(len & RECORD_DISCARDED)) {
			rec->p = r->data + (r->pos & (r->size - 1)) + RECORD_HEADER;
			rec->len = len;
			rec->ts = MAX(load_u64(rec->p), r->bound);
			r->bound = rec->ts;
			return true;
		}
		r->pos += RECORD_HEADER + ((len & ~RECORD_DISCARDED) + 7) / 8 * 8;
	}
	r->bound = MAX(r->bound, r->looked);
	return false;
}

void ring_next(struct ring *r, const struct ring_record *rec)
{
	r->pos += RECORD_HEADER + (rec->len + 7) / 8 * 8;
}

void ring_release(struct ring *r)
{
	/* Release: our reads of the records are done before the kernel may write over them. */
	atomic_store_explicit((_Atomic uint64_t *)r->consumer_page, r->pos, memory_order_release);
}

size_t ring_fill(const struct ring *r)
{
	return (size_t)(r->end - r->pos);
}
