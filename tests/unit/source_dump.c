/* source_dump FILE: what the reader and the metadata decoders make of a trace, one line per block
 * that is not an event, per metadata entry and per run of events; tests/unit/source_ref.py writes
 * the same lines with code of its own. Texts are in hex. The last line tells how the file ended. */
#include <inttypes.h>
#include <stdio.h>

#include "source/block.h"
#include "source/meta.h"
#include "source/source.h"

static void hex(const void *p, size_t n)
{
	putchar(' ');
	if (!n)
		putchar('-');
	for (size_t i = 0; i < n; i++)
		printf("%02x", ((const uint8_t *)p)[i]);
}

static void text(struct text t)
{
	hex(t.p, t.len);
}

static int dump_machine(void *ctx, const struct meta_machine *m)
{
	printf(" machine %u %" PRIu64 " %" PRIu64, m->num_cpus, m->memory_bytes, m->max_pid);
	hex(m->hostname, strlen(m->hostname));
	printf(" %" PRIu64 " %" PRIu64 "\n", m->boot_ts, m->flags);
	return 0;
}

static int dump_thread(void *ctx, const struct meta_thread *t)
{
	const struct text texts[] = {t->comm, t->exe, t->exepath, t->args,
				     t->cwd,  t->env, t->cgroups, t->root};
	const int64_t ids[] = {(int64_t)t->tid, (int64_t)t->pid, (int64_t)t->ptid, t->sid,
			       t->vpgid,	t->vtid,	 t->vpid,	   t->pgid};
	const uint64_t nums[] = {t->fdlimit,
				 t->flags,
				 t->uid,
				 t->gid,
				 t->vmsize_kb,
				 t->vmrss_kb,
				 t->vmswap_kb,
				 t->pfmajor,
				 t->pfminor,
				 t->pidns_init_start_ts,
				 t->tty,
				 t->loginuid,
				 t->exe_writable,
				 t->cap_inheritable,
				 t->cap_permitted,
				 t->cap_effective,
				 t->exe_upper_layer,
				 t->exe_ino,
				 t->exe_ino_ctime,
				 t->exe_ino_mtime,
				 t->exe_from_memfd,
				 t->exe_lower_layer};

	printf(" thread");
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		printf(" %" PRId64, ids[i]);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		text(texts[i]);
	for (size_t i = 0; i < ARRAY_SIZE(nums); i++)
		printf(" %" PRIu64, nums[i]);
	putchar('\n');
	return 0;
}

static int dump_fd(void *ctx, const struct meta_fd *f)
{
	printf(" fd %" PRIu64 " %" PRId64 " %" PRIu64 " %u", f->tid, f->fd, f->ino, f->type);
	text(f->name);
	printf(" %u %u", f->openflags, f->dev);
	hex(f->sip, 16);
	hex(f->dip, 16);
	printf(" %u %u %u %" PRIu64 " %" PRIu64 "\n", f->sport, f->dport, f->l4proto,
	       f->unix_source, f->unix_dest);
	return 0;
}

static int dump_iface(void *ctx, const struct meta_iface *i)
{
	printf(" iface v%d", i->v6 ? 6 : 4);
	hex(i->addr, 16);
	hex(i->mask, 16);
	hex(i->bcast, 16);
	printf(" %" PRIu64, i->speed);
	text(i->name);
	putchar('\n');
	return 0;
}

static int dump_user(void *ctx, const struct meta_user *u)
{
	printf(" %s %u %u", u->is_group ? "group" : "user", u->uid, u->gid);
	text(u->name);
	text(u->home);
	text(u->shell);
	putchar('\n');
	return 0;
}

struct run {
	uint64_t blocks, bytes, sum; /* of events since the last other block */
};

static void dump_run(struct run *r)
{
	if (r->blocks)
		printf("events %" PRIu64 " bytes %" PRIu64 " sum %016" PRIx64 "\n", r->blocks,
		       r->bytes, r->sum);
	*r = (struct run){0};
}

/* A sum over place, type and length of every block, so that none can be missed or misplaced. */
static void add_events(struct run *r, const struct batch *b)
{
	for (uint32_t i = 0; i < b->nblk; i++) {
		const uint8_t *p = b->data + b->blk[i];
		uint64_t x =
			b->file_off + b->blk[i] + load_u32(p) + ((uint64_t)load_u32(p + 4) << 32);

		r->sum = r->sum * 0x9E3779B97F4A7C15 + x;
		r->bytes += load_u32(p + 4);
	}
	r->blocks += b->nblk;
}

static int dump_meta(const struct batch *b, struct err *e)
{
	static const struct meta_visitor v = {
		.machine = dump_machine,
		.thread = dump_thread,
		.fd = dump_fd,
		.iface = dump_iface,
		.user = dump_user,
	};

	for (uint32_t i = 0; i < b->nblk; i++) {
		const uint8_t *p = b->data + b->blk[i];
		uint64_t at = b->file_off + b->blk[i];

		printf("block %" PRIu64 " 0x%x %u\n", at, load_u32(p), load_u32(p + 4));
		int r = meta_decode(p, load_u32(p + 4), &v, e);
		if (r) {
			e->pos += at;
			return r;
		}
	}
	return 0;
}

static int dump_file(const char *path, struct err *e)
{
	struct source *s;
	struct batch b;
	struct run run = {0};
	int r = source_open(&s, path, NULL, e);

	if (r)
		return r;
	batch_init(&b);
	do {
		batch_reset(&b);
		r = source_read(s, &b, e);
		if (r)
			break;
		if (b.kind == BATCH_EVENTS) {
			add_events(&run, &b);
		} else {
			dump_run(&run);
			r = dump_meta(&b, e);
		}
		if (!r && b.last && b.err.code) {
			*e = b.err;
			r = e->code;
		}
	} while (!r && !b.last);
	dump_run(&run);
	batch_fini(&b);
	source_close(s);
	return r;
}

int main(int argc, char **argv)
{
	struct err e;

	if (argc != 2) {
		fprintf(stderr, "usage: source_dump FILE\n");
		return 2;
	}
	if (!dump_file(argv[1], &e)) {
		printf("end\n");
		return 0;
	}
	printf("error %d at %" PRIu64 ": %s\n", e.code, e.pos, e.msg);
	return 1;
}
