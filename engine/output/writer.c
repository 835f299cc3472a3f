/* The file of a writer: plain bytes in the release turn, or pieces that any worker compresses. */
#include "output/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "output/writer_int.h"
#include "state/carry.h"

enum { QUEUE_PER_WORKER = 2, QUEUE_EXTRA = 2 };

/* ---- types ----------------------------------------------------------------------------------------- */

void writer_set_filter(struct writer *w, bool filtered, const struct demand *partners)
{
	w->filtered = filtered;
	for (unsigned t = 0; t < EV_CODE_COUNT; t++) {
		const struct event_info *i = &event_table[t];
		uint8_t c = 0;

		c |= i->flags & EF_LARGE_PAYLOAD ? WC_LARGE : 0;
		c |= event_info_internal(i) ? WC_INTERNAL : 0;
		c |= w->o.compat029 && t <= EV_GENERIC_X ? WC_GENERIC : 0;
		if (w->o.fat && state_type_carries(t))
			c |= WC_CARRIES;
		else if (w->o.fat && partners && !i->is_exit && demand_type(partners, t))
			c |= WC_PARTNER;
		w->cls[t] = c;
	}
}

/* ---- life ------------------------------------------------------------------------------------------ */

int writer_new(struct writer **out, const char *path, const struct writer_opts *o)
{
	struct writer *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->path = path;
	w->o = *o;
	w->fd = -1;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->moved, NULL);
	writer_set_filter(w, false, NULL);
	*out = w;
	return 0;
}

static void piece_free(struct piece *p)
{
	if (!p)
		return;
	buf_fini(&p->in);
	buf_fini(&p->out);
	free(p);
}

static void pieces_free(struct piece *p)
{
	while (p) {
		struct piece *next = p->next;

		piece_free(p);
		p = next;
	}
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	piece_free(w->fill);
	pieces_free(w->head);
	pieces_free(w->spare);
	while (w->packers) {
		struct spare_packer *s = w->packers;

		w->packers = s->next;
		packer_free(s->p);
		free(s);
	}
	if (w->own_fd && w->fd >= 0)
		close(w->fd);
	pthread_cond_destroy(&w->moved);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

/* ---- writing --------------------------------------------------------------------------------------- */

static int file_open(struct writer *w, struct err *e)
{
	if (w->fd >= 0)
		return 0;
	if (!strcmp(w->path, "-")) {
		w->fd = STDOUT_FILENO;
		return 0;
	}
	w->fd = open(w->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (w->fd < 0)
		return err_errno(e, "can't open %s", w->path);
	w->own_fd = true;
	return 0;
}

static int file_write(struct writer *w, const char *p, size_t n, struct err *e)
{
	int rc = file_open(w, e);

	while (rc == 0 && n) {
		ssize_t k = write(w->fd, p, n);

		if (k >= 0) {
			p += k;
			n -= (size_t)k;
		} else if (errno == EPIPE) {
			rc = err_set(e, ERR_INTERRUPTED, ERR_NO_POS, "%s was closed", w->path);
		} else if (errno != EINTR) {
			rc = err_errno(e, "can't write %s", w->path);
		}
	}
	return rc;
}

/* ---- pieces ---------------------------------------------------------------------------------------- */

static struct piece *piece_get(struct writer *w)
{
	struct piece *p;

	pthread_mutex_lock(&w->lock);
	p = w->spare;
	if (p)
		w->spare = p->next;
	pthread_mutex_unlock(&w->lock);
	if (!p && !(p = calloc(1, sizeof(*p))))
		return NULL;
	p->next = NULL;
	buf_reset(&p->in);
	buf_reset(&p->out);
	return p;
}

static struct packer *packer_take_locked(struct writer *w)
{
	struct spare_packer *s = w->packers;
	struct packer *p = NULL;

	if (s) {
		w->packers = s->next;
		p = s->p;
		free(s);
	}
	return p;
}

static void packer_give_locked(struct writer *w, struct packer *p)
{
	struct spare_packer *s = p ? malloc(sizeof(*s)) : NULL;

	if (!s) {
		packer_free(p);
		return;
	}
	*s = (struct spare_packer){w->packers, p};
	w->packers = s;
}

static void fail_locked(struct writer *w, const struct err *e)
{
	if (!w->failed.code)
		w->failed = *e;
}

/* Writes what is packed at the head of the queue. Called and returns with the lock held. */
static void flush_locked(struct writer *w)
{
	struct err e;

	if (w->writing)
		return;
	w->writing = true;
	while (w->head && w->head->state == PIECE_PACKED) {
		struct piece *p = w->head;
		bool dead = w->failed.code != 0;
		int rc = 0;

		w->head = p->next;
		if (!w->head)
			w->tail = NULL;
		pthread_mutex_unlock(&w->lock);
		err_clear(&e);
		if (!dead)
			rc = file_write(w, p->out.p, p->out.len, &e);
		pthread_mutex_lock(&w->lock);
		if (rc < 0)
			fail_locked(w, &e);
		w->queued--;
		p->next = w->spare;
		w->spare = p;
		pthread_cond_broadcast(&w->moved);
	}
	w->writing = false;
}

/* Compresses p, taken by the caller. Called and returns with the lock held. */
static void pack_locked(struct writer *w, struct piece *p)
{
	struct packer *packer = packer_take_locked(w);
	struct err e;
	int rc = 0;

	pthread_mutex_unlock(&w->lock);
	if (!packer)
		rc = packer_new(&packer, w->o.pack);
	if (rc == 0)
		rc = packer_run(packer, p->in.p, p->in.len, &p->out);
	pthread_mutex_lock(&w->lock);
	packer_give_locked(w, packer);
	if (rc < 0) {
		err_set(&e, rc, ERR_NO_POS, "out of memory while writing %s", w->path);
		fail_locked(w, &e);
	}
	p->state = PIECE_PACKED;
	pthread_cond_broadcast(&w->moved);
	flush_locked(w);
}

static struct piece *waiting_locked(struct writer *w)
{
	struct piece *p = w->head;

	while (p && p->state != PIECE_WAITING)
		p = p->next;
	if (p) {
		p->state = PIECE_PACKING;
		atomic_fetch_sub_explicit(&w->waiting, 1, memory_order_relaxed);
	}
	return p;
}

bool writer_has_work(const struct writer *w)
{
	return atomic_load_explicit(&w->waiting, memory_order_relaxed) != 0;
}

void writer_pack(struct writer *w)
{
	struct piece *p;

	pthread_mutex_lock(&w->lock);
	p = waiting_locked(w);
	if (p)
		pack_locked(w, p);
	pthread_mutex_unlock(&w->lock);
}

/* Until no more than limit pieces are on their way; helps instead of waiting where it can. */
static void drain_locked(struct writer *w, unsigned limit)
{
	while (w->queued > limit) {
		struct piece *p = waiting_locked(w);

		if (p)
			pack_locked(w, p);
		else
			pthread_cond_wait(&w->moved, &w->lock);
	}
}

/* The filled piece joins the queue. */
static void piece_queue(struct writer *w)
{
	struct piece *p = w->fill;

	w->fill = NULL;
	p->state = PIECE_WAITING;
	p->next = NULL;
	pthread_mutex_lock(&w->lock);
	if (w->tail)
		w->tail->next = p;
	else
		w->head = p;
	w->tail = p;
	w->queued++;
	atomic_fetch_add_explicit(&w->waiting, 1, memory_order_relaxed);
	drain_locked(w, w->o.workers > 1 ? w->o.workers * QUEUE_PER_WORKER + QUEUE_EXTRA : 0);
	pthread_mutex_unlock(&w->lock);
}

static int put_pieces(struct writer *w, const char *s, size_t n, struct err *e)
{
	while (n) {
		size_t room, k;

		if (!w->fill && !(w->fill = piece_get(w)))
			return err_set(e, -ENOMEM, ERR_NO_POS, "out of memory while writing %s", w->path);
		room = WRITER_PIECE_BYTES - w->fill->in.len;
		k = MIN(n, room);
		buf_put(&w->fill->in, s, k);
		if (buf_failed(&w->fill->in))
			return err_set(e, -ENOMEM, ERR_NO_POS, "out of memory while writing %s", w->path);
		if (k == room)
			piece_queue(w);
		s += k;
		n -= k;
	}
	return 0;
}

static int writer_failed(struct writer *w, struct err *e)
{
	int rc;

	pthread_mutex_lock(&w->lock);
	rc = w->failed.code;
	if (rc && e)
		*e = w->failed;
	pthread_mutex_unlock(&w->lock);
	return rc;
}

int writer_put(struct writer *w, const struct buf *b, struct err *e)
{
	struct err now;
	int rc;

	err_clear(&now);
	rc = writer_failed(w, e);
	if (rc || !b->len)
		return rc;
	rc = w->o.pack == PACK_NONE ? file_write(w, b->p, b->len, &now) : put_pieces(w, b->p, b->len, &now);
	if (rc < 0) {
		pthread_mutex_lock(&w->lock);
		fail_locked(w, &now);
		pthread_mutex_unlock(&w->lock);
	}
	return writer_failed(w, e);
}

int writer_finish(struct writer *w, struct err *e)
{
	int rc;

	if (!w)
		return 0;
	if (w->fill && w->fill->in.len)
		piece_queue(w);
	pthread_mutex_lock(&w->lock);
	drain_locked(w, 0);
	pthread_mutex_unlock(&w->lock);
	rc = writer_failed(w, e);
	if (w->own_fd) {
		if (close(w->fd) < 0 && !rc)
			rc = err_errno(e, "can't write %s", w->path);
		w->fd = -1;
		w->own_fd = false;
	}
	return rc;
}
