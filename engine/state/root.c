/* The tables at the start of a section, from its metadata blocks. Apply turn; nobody reads the root
 * yet. */
#include <errno.h>
#include <stdlib.h>

#include "state/sock.h"
#include "state/state_priv.h"

/* Callbacks get an apply context whose order number is 0: "before the first event". */
struct load {
	struct apply a;
};

static int load_machine(void *ctx, const struct meta_machine *m)
{
	struct machine_info *mi = &((struct load *)ctx)->a.root->machine;

	mi->num_cpus = m->num_cpus;
	mi->memory_bytes = m->memory_bytes;
	mi->max_pid = m->max_pid;
	mi->boot_ts = m->boot_ts;
	memcpy(mi->hostname, m->hostname, sizeof(mi->hostname));
	return 0;
}

static void load_text(struct apply *a, struct rstr **slot, const struct text *t)
{
	thread_set_text(a, slot, t->p, t->len);
}

static void load_numbers(struct thread_ver *v, const struct meta_thread *m)
{
	v->pid = (int64_t)m->pid;
	v->ptid = (int64_t)m->ptid;
	v->sid = m->sid;
	v->vpgid = m->vpgid;
	v->pgid = m->pgid;
	v->vtid = m->vtid;
	v->vpid = m->vpid;
	v->fdlimit = m->fdlimit;
	v->flags = m->flags | PPM_CL_ACTIVE;
	v->uid = m->uid;
	v->gid = m->gid;
	v->tty = m->tty;
	v->loginuid = m->loginuid;
	v->pidns_init_start_ts = m->pidns_init_start_ts;
	v->cap_inheritable = m->cap_inheritable;
	v->cap_permitted = m->cap_permitted;
	v->cap_effective = m->cap_effective;
	v->exe_ino = m->exe_ino;
	v->exe_ino_ctime = m->exe_ino_ctime;
	v->exe_ino_mtime = m->exe_ino_mtime;
	v->exe_writable = m->exe_writable;
	v->exe_upper_layer = m->exe_upper_layer;
	v->exe_lower_layer = m->exe_lower_layer;
	v->exe_from_memfd = m->exe_from_memfd;
}

static void load_vol(struct apply *a, struct thread *t, const struct meta_thread *m)
{
	struct thread_vol vol = {.vmsize_kb = m->vmsize_kb,
				 .vmrss_kb = m->vmrss_kb,
				 .vmswap_kb = m->vmswap_kb,
				 .pfmajor = m->pfmajor,
				 .pfminor = m->pfminor};

	if (a->d->bits & DEMAND_VOLATILE)
		thread_vol_set(a, t, &vol);
}

/* Machine-wide process groups came with the writers that record exits alone. */
static int note_writer(void *ctx, const struct meta_thread *m)
{
	struct apply *a = &((struct load *)ctx)->a;

	if (m->pgid != -1)
		a->root->newest_writer = true;
	return 0;
}

static int load_thread(void *ctx, const struct meta_thread *m)
{
	struct apply *a = &((struct load *)ctx)->a;
	struct thread_ver *v;
	struct thread *t = thread_create(a, (int64_t)m->tid, &v);

	if (!t)
		return -ENOMEM;
	note_writer(ctx, m);
	load_numbers(v, m);
	load_text(a, &v->comm, &m->comm);
	load_text(a, &v->exe, &m->exe);
	load_text(a, &v->exepath, &m->exepath);
	load_text(a, &v->args, &m->args);
	load_text(a, &v->root, &m->root);
	load_text(a, &v->cgroups, &m->cgroups);
	if (v->pid == t->tid) {
		load_text(a, &v->env, &m->env);
		thread_set_cwd(a, v, m->cwd.p, m->cwd.len);
	}
	thread_set_container(a, v);
	load_vol(a, t, m);
	thread_publish(a, t);
	return a->m->failed ? -ENOMEM : 0;
}

static bool kind_is_inet(unsigned kind)
{
	return kind == FDK_IPV4 || kind == FDK_IPV6 || kind == FDK_IPV4_SERV ||
	       kind == FDK_IPV6_SERV;
}

static int load_fd(void *ctx, const struct meta_fd *m)
{
	struct apply *a = &((struct load *)ctx)->a;
	struct thread *t = thread_find(a->root, (int64_t)m->tid);
	struct fd_table *ft;
	struct fd_ver *f;

	if (!t)
		return 0;
	/* The row's own table, also where the thread shares its main thread's. */
	ft = atomic_load_explicit(&t->fds, memory_order_relaxed);
	if (!ft) {
		ft = fd_table_new(a->m);
		if (!ft)
			return -ENOMEM;
		atomic_store_explicit(&t->fds, ft, memory_order_relaxed);
	}
	f = fd_add_to(a, ft, m->fd);
	if (!f)
		return a->m->failed ? -ENOMEM : 0;
	f->kind = m->type;
	f->l4proto = m->l4proto;
	f->flags = FDF_FROM_PROC;
	f->openflags = m->openflags;
	f->dev = m->dev;
	f->ino = m->ino;
	memcpy(f->sip, m->sip, sizeof(f->sip));
	memcpy(f->dip, m->dip, sizeof(f->dip));
	f->sport = m->sport;
	f->dport = m->dport;
	f->unix_source = m->unix_source;
	f->unix_dest = m->unix_dest;
	if (kind_is_inet(m->type))
		f->flags |= FDF_TUPLE_NAME;
	else
		fd_set_name(a, f, NULL, m->name.p, m->name.len);
	sock_unmap(f, a->d->compat029);
	if (fd_is_inet(f) && f->l4proto == L4_TCP)
		f->flags |= FDF_CONNECTED;
	if (m->type == FDK_IPV4_SERV || m->type == FDK_IPV6_SERV)
		f->flags |= FDF_ROLE_SERVER;
	else if (m->type == FDK_UNIX)
		f->flags |= m->name.len ? FDF_ROLE_SERVER : FDF_ROLE_CLIENT;
	return a->m->failed ? -ENOMEM : 0;
}

static int load_iface(void *ctx, const struct meta_iface *m)
{
	struct state_root *r = ((struct load *)ctx)->a.root;
	struct iface *p = r->ifaces;
	char *name = malloc((size_t)m->name.len + 1);

	if (!name)
		return -ENOMEM;
	if (r->nifaces == r->ifaces_cap) {
		unsigned cap = r->ifaces_cap ? 2 * r->ifaces_cap : 8;

		p = realloc(p, cap * sizeof(*p));
		if (!p) {
			free(name);
			return -ENOMEM;
		}
		r->ifaces = p;
		r->ifaces_cap = cap;
	}
	if (m->name.len)
		memcpy(name, m->name.p, m->name.len);
	name[m->name.len] = 0;
	p = &r->ifaces[r->nifaces++];
	p->v6 = m->v6;
	memcpy(p->addr, m->addr, sizeof(p->addr));
	memcpy(p->mask, m->mask, sizeof(p->mask));
	p->name = name;
	return 0;
}

static int load_user(void *ctx, const struct meta_user *u)
{
	struct apply *a = &((struct load *)ctx)->a;

	return id_put(a->m, a->root, u, 0);
}

enum { BLK_IL_V1 = 0x205, BLK_IL_V2 = 0x219, BLK_IL_INT = (int)0x8011ABCD };

static int load_list_begin(void *ctx, uint32_t block_type)
{
	struct apply *a = &((struct load *)ctx)->a;
	struct state_root *r = a->root;

	if (block_type == BLK_IL_V1 || block_type == BLK_IL_V2 ||
	    block_type == (uint32_t)BLK_IL_INT) {
		while (r->nifaces)
			free((char *)r->ifaces[--r->nifaces].name);
		return 0;
	}
	id_clear(r);
	return 0;
}

/* ---- roles of the ipv4 sockets of the process list (facts: "Sockets from the FDL blocks") ---- */

struct port_set {
	uint64_t bit[65536 / 64];
	bool any;
};

static int port_collect(void *ctx, int fd, const struct fd_ver *f)
{
	struct port_set *p = ctx;

	if (f->kind == FDK_IPV4_SERV || f->kind == FDK_IPV6_SERV) { /* the latter may serve both */
		p->bit[f->sport / 64] |= (uint64_t)1 << (f->sport % 64);
		p->any = true;
	}
	return 0;
}

static int role_fix(void *ctx, int fd, const struct fd_ver *cf)
{
	const struct port_set *p = ctx;
	struct fd_ver *f = (struct fd_ver *)cf; /* the root is not published yet */

	if (f->kind != FDK_IPV4)
		return 0;
	if (p->bit[f->sport / 64] >> (f->sport % 64) & 1) {
		f->flags |= FDF_ROLE_SERVER;
		sock_swap(f);
	} else {
		f->flags |= FDF_ROLE_CLIENT;
	}
	return 0;
}

struct role_ctx {
	struct state_root *r;
	struct port_set ports;
};

/* fn for the descriptors of the thread's own table. */
static int thread_own_fds(struct role_ctx *c, struct thread *t,
			  int (*fn)(void *ctx, int fd, const struct fd_ver *f))
{
	struct thread_ver v = *thread_now(t);

	v.flags &= ~(uint32_t)PPM_CL_CLONE_FILES;
	return state_fds_each(c->r, t, &v, 0, fn, &c->ports);
}

static int thread_collect_ports(void *ctx, struct thread *t)
{
	return thread_own_fds(ctx, t, port_collect);
}

static int thread_fix_roles(void *ctx, struct thread *t)
{
	return thread_own_fds(ctx, t, role_fix);
}

/* Any process may hold the listening socket: a server's children keep the connections. */
static int roles_fix(struct state_root *r)
{
	struct role_ctx *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return -ENOMEM;
	c->r = r;
	rc = state_threads_each(r, 0, thread_collect_ports, c);
	if (rc == 0)
		rc = state_threads_each(r, 0, thread_fix_roles, c);
	free(c);
	return rc;
}

int root_load(struct state *st, struct state_root *r, const struct batch *b, struct err *e)
{
	struct load l = {.a = {.st = st, .m = &st->mut[0], .d = st->d, .b = (struct batch *)b, .root = r, .ord = 0}};
	uint32_t bits = st->d->bits;
	struct meta_visitor v = {
		.ctx = &l,
		.machine = load_machine,
		.iface = load_iface,
		.list_begin = load_list_begin,
		.user = bits & DEMAND_USERS ? load_user : NULL,
		.thread = bits & DEMAND_THREADS ? load_thread : note_writer,
		.fd = bits & DEMAND_FDS ? load_fd : NULL,
	};

	for (uint32_t i = 0; i < b->nblk; i++) {
		const uint8_t *p = b->data + b->blk[i];
		int rc = meta_decode(p, load_u32(p + 4), &v, e);

		if (rc < 0) {
			if (rc == -ENOMEM)
				return err_set(e, rc, ERR_NO_POS, "out of memory");
			if (e)
				e->pos += b->file_off + b->blk[i];
			return rc;
		}
	}
	kin_rebuild(&l.a);
	if ((bits & DEMAND_FDS) && roles_fix(r) < 0)
		return err_set(e, -ENOMEM, ERR_NO_POS, "out of memory");
	return 0;
}
