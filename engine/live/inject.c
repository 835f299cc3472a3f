#include "live/inject.h"

#include "event/event.h"

void inject_init(struct inject *q)
{
	*q = (struct inject){.pos = 0};
	buf_init(&q->queue);
}

void inject_fini(struct inject *q)
{
	buf_fini(&q->queue);
}

static void put_header(struct buf *b, uint64_t ts, int64_t tid, uint32_t len, uint16_t type,
		       uint32_t n)
{
	buf_put(b, &ts, 8);
	buf_put(b, &tid, 8);
	buf_put(b, &len, 4);
	buf_put(b, &type, 2);
	buf_put(b, &n, 4);
}

void inject_event(struct inject *q, uint64_t ts, int64_t tid, uint16_t type, unsigned n,
		  const uint32_t *lens, const void *data)
{
	bool large = event_table[type].flags & EF_LARGE_PAYLOAD;
	uint32_t len = 26 + n * (large ? 4 : 2), bytes = 0;
	size_t begin = q->queue.len;

	for (unsigned i = 0; i < n; i++)
		bytes += lens[i];
	len += bytes;
	if (len > INJECT_MAX) {
		q->failed = true;
		return;
	}
	q->last_ts = MAX(q->last_ts, ts);
	buf_put(&q->queue, &len, 4);
	put_header(&q->queue, q->last_ts, tid, len, type, n);
	for (unsigned i = 0; i < n; i++)
		buf_put(&q->queue, &lens[i], large ? 4 : 2);
	buf_put(&q->queue, data, bytes);
	if (buf_failed(&q->queue)) {
		buf_reset(&q->queue);
		q->queue.len = begin;
		q->failed = true;
	}
}

static void two_u64(struct inject *q, uint64_t ts, int64_t tid, uint16_t type, uint64_t a,
		    uint64_t b)
{
	uint64_t v[2] = {a, b};

	inject_event(q, ts, tid, type, 2, (uint32_t[]){8, 8}, v);
}

void inject_procinfo(struct inject *q, uint64_t ts, uint32_t tid, uint64_t user, uint64_t system)
{
	two_u64(q, ts, tid, EV_PROCINFO_E, user, system);
}

void inject_tick(struct inject *q, uint64_t ts)
{
	uint8_t v[12] = {0};

	inject_event(q, ts, -1, EV_SCAPEVENT_E, 2, (uint32_t[]){4, 8}, v);
}

void inject_drop(struct inject *q, uint64_t ts, uint64_t lost)
{
	uint32_t n = (uint32_t)MIN(lost, (uint64_t)UINT32_MAX);

	inject_event(q, ts, -1, EV_DROP_E, 1, (uint32_t[]){4}, &n);
}

bool inject_peek(const struct inject *q, struct ring_record *rec)
{
	const char *p = q->queue.p + q->pos;

	if (q->pos == q->queue.len)
		return false;
	rec->len = load_u32(p);
	rec->p = (const uint8_t *)p + 4;
	rec->ts = load_u64(rec->p);
	return true;
}

void inject_next(struct inject *q)
{
	q->pos += 4 + load_u32(q->queue.p + q->pos);
	if (q->pos == q->queue.len)
		q->pos = q->queue.len = 0;
}
