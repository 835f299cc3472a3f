/* sysdig.get_thread_table and its kin, sysdig.get_container_table: snapshots of the tables as of the event under way.
 *
 * A filter is asked once for every descriptor of every thread, as if a read on it had just returned: a made-up batch of
 * one event stands for that. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "chisel/chisel_int.h"
#include "state/container.h"

enum { BLOCK_MAX = 96 };

enum table_form { TF_ALL = 0, TF_NO_FDS = 1 << 0, TF_BAREBONE = 1 << 1 };

/* What evaluates the filter. Lives in a userdata, so that a raised error frees it. */
struct asker {
	struct filter *filter;
	struct filter_run *run;
	struct demand demand;
	struct render_opts ro;
	struct evctx ctx;
	struct arena scratch;
	struct field_env env;
	struct batch b;
	struct ev_rec rec;
	struct tslot slot;
	uint8_t block[BLOCK_MAX];
	bool ready;
};
#define ASKER "burin.asker"

/* What the state's iterators yield is collected before a script value is made of it: they hold memory while they call back,
 * and making values can raise. The userdata owns the lists. */
struct rows {
	struct thread **threads;
	struct {
		int fd;
		const struct fd_ver *v;
	} *fds;
	struct container *containers;
	size_t nthreads, nfds, ncontainers, cap[3];
};
#define ROWS "burin.rows"

struct listing {
	lua_State *L;
	struct rows *rows;
	struct chisels *cs;
	const struct state_root *root;
	uint64_t ord, ts;
	unsigned form; /* enum table_form */
	struct asker *ask; /* NULL: everything matches */
	int table;     /* stack index of the result */
	int fds;       /* stack index of the descriptors of the thread under way */
	struct thread *t;
	const struct thread_ver *v;
	bool any;      /* a descriptor of it matched */
};

/* ---- where the script stands ----------------------------------------------------------------------------------- */

static bool find_place(struct lstate *ls, struct listing *l)
{
	struct cur_event *ev = &ls->ev;
	struct chisels *cs = ls->c->cs;

	l->cs = cs;
	if (ev->env && (ev->b || ev->moved)) {
		const struct batch *b = ev->b ? ev->b : ev->env->c->b;
		const uint8_t *blk = b->data + b->ev[ev->idx].off;

		l->root = b->root;
		l->ord = b->first_ord + ev->idx;
		l->ts = load_u64(blk + event_block_hdr_off(load_u32(blk)));
	} else {
		l->root = cs->root;
		l->ord = cs->ord;
		l->ts = cs->last_ts;
	}
	return ls->phase >= LP_START && l->root;
}

/* ---- collecting ------------------------------------------------------------------------------------------------ */

static int free_rows(lua_State *L)
{
	struct rows *r = luaL_checkudata(L, 1, ROWS);

	free(r->threads);
	free(r->fds);
	free(r->containers);
	memset(r, 0, sizeof(*r));
	return 0;
}

static void push_rows(struct listing *l)
{
	lua_State *L = l->L;

	l->rows = lua_newuserdatauv(L, sizeof(*l->rows), 0);
	memset(l->rows, 0, sizeof(*l->rows));
	if (luaL_newmetatable(L, ROWS)) {
		lua_pushcfunction(L, free_rows);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
}

/* Room for one more element; NULL when memory is out (v stays what it was). */
static void *room(void *v, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return v;
	size_t c = *cap ? *cap * 2 : 64;
	void *p = realloc(v, c * size);
	if (p)
		*cap = c;
	return p;
}

static int collect_thread(void *ctx, struct thread *t)
{
	struct rows *r = ctx;
	void *p = room(r->threads, r->nthreads, &r->cap[0], sizeof(*r->threads));

	if (!p)
		return -ENOMEM;
	r->threads = p;
	r->threads[r->nthreads++] = t;
	return 0;
}

static int collect_fd(void *ctx, int fd, const struct fd_ver *v)
{
	struct rows *r = ctx;
	void *p = room(r->fds, r->nfds, &r->cap[1], sizeof(*r->fds));

	if (!p)
		return -ENOMEM;
	r->fds = p;
	r->fds[r->nfds].fd = fd;
	r->fds[r->nfds++].v = v;
	return 0;
}

static int collect_container(void *ctx, const struct container *c)
{
	struct rows *r = ctx;
	void *p = room(r->containers, r->ncontainers, &r->cap[2], sizeof(*r->containers));

	if (!p)
		return -ENOMEM;
	r->containers = p;
	r->containers[r->ncontainers++] = *c; /* its texts outlive it */
	return 0;
}

static void check_collected(lua_State *L, int r)
{
	if (r < 0)
		luaL_error(L, "out of memory");
}

/* ---- filter ------------------------------------------------------------------------------------------------------ */

static int free_asker(lua_State *L)
{
	struct asker *a = luaL_checkudata(L, 1, ASKER);

	filter_run_free(a->run);
	filter_free(a->filter);
	if (a->ready) {
		field_env_fini(&a->env);
		evctx_fini(&a->ctx);
		arena_fini(&a->scratch);
	}
	memset(a, 0, sizeof(*a));
	return 0;
}

static void put(uint8_t **p, uint64_t v, unsigned n)
{
	memcpy(*p, &v, n);
	*p += n;
}

/* A read exit event with result 0 and no data, at time ts. */
static void make_block(struct asker *a, uint64_t ts)
{
	uint8_t *p = a->block;
	uint32_t event = EVENT_HDR_V2 + 2 * 2 + 8, total = 8 + 2 + event + 4;

	total = (total + 3) & ~3u;
	put(&p, BLK_EV_V2, 4);
	put(&p, total, 4);
	put(&p, 0, 2); /* cpu */
	put(&p, ts, 8);
	put(&p, 0, 8); /* tid: see ask */
	put(&p, event, 4);
	put(&p, EV_SYSCALL_READ_X, 2);
	put(&p, 2, 4);
	put(&p, 8, 2);
	put(&p, 0, 2);
	put(&p, 0, 8);
	memcpy(a->block + total - 4, &total, 4);
	ASSERT(total <= BLOCK_MAX);
}

static int check_class(void *ctx, const struct field_ref *r)
{
	static const char *const ok[] = { "fd", "process", "proc", "thread", "user", "group", "container", "fdlist" };
	const char *name = r->info->name;
	size_t n = strcspn(name, ".");

	for (unsigned i = 0; i < ARRAY_SIZE(ok); i++)
		if (strlen(ok[i]) == n && !strncmp(name, ok[i], n))
			return 0;
	*(const char **)ctx = name;
	return 1;
}

static struct asker *make_asker(lua_State *L, struct listing *l, const char *text, const char *fn)
{
	struct lstate *ls = lstate_of(L);
	struct chisels *cs = l->cs;
	struct err why = { 0 };
	const char *wrong = NULL;
	struct asker *a = lua_newuserdatauv(L, sizeof(*a), 0);

	memset(a, 0, sizeof(*a));
	if (luaL_newmetatable(L, ASKER)) {
		lua_pushcfunction(L, free_asker);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	if (filter_compile(&a->filter, text, cs->host->compat029, &why))
		luaL_error(L, "invalid filter argument for %s in chisel %s: %s: %s", fn, ls->c->name, text, why.msg);
	if (filter_each_field(a->filter, check_class, &wrong))
		luaL_error(L, "invalid filter argument for %s in chisel %s: the given filter is not supported for thread table "
			      "filtering (%s)", fn, ls->c->name, wrong);
	demand_init(&a->demand, cs->host->compat029);
	demand_add(&a->demand, UINT32_MAX);
	a->ro = *cs->host->ro;
	arena_init(&a->scratch);
	if (filter_run_new(&a->run, a->filter) || evctx_init(&a->ctx, &a->demand))
		luaL_error(L, "out of memory");
	a->ready = true;
	a->env = (struct field_env){ .c = &a->ctx, .scratch = &a->scratch, .ro = &a->ro };
	make_block(a, l->ts);
	a->b = (struct batch){ .data = a->block, .len = load_u32(a->block + 4), .ev = &a->rec, .nev = 1, .slots = &a->slot,
			       .nslots = 1, .first_ts = l->ts, .last_ts = l->ts, .first_ord = l->ord, .num_base = 1,
			       .origin_ts = l->ts, .root = (struct state_root *)(uintptr_t)l->root };
	return a;
}

/* Whether the filter accepts a read of descriptor fd by the thread under way. */
static bool ask(struct listing *l, int fd)
{
	struct asker *a = l->ask;

	if (!a)
		return true;
	uint64_t tid = (uint64_t)l->t->tid;
	memcpy(a->block + event_block_hdr_off(BLK_EV_V2) + 8, &tid, 8);
	a->slot = (struct tslot){ .tid = l->t->tid, .thread = l->t };
	a->rec = (struct ev_rec){ .type = EV_SYSCALL_READ_X, .pair = PAIR_NONE, .fd = fd };
	arena_reset(&a->scratch);
	if (evctx_begin(&a->ctx, &a->b))
		luaL_error(l->L, "out of memory");
	evctx_move(&a->ctx, 0);
	return filter_match(a->run, &a->env);
}

/* ---- entries ------------------------------------------------------------------------------------------------------- */

static void set_u32(lua_State *L, const char *name, uint64_t v)
{
	lua_pushinteger(L, (uint32_t)v);
	lua_setfield(L, -2, name);
}

static void set_text(lua_State *L, const char *name, const char *s, size_t len)
{
	lua_pushlstring(L, s, strnlen(s, len));
	lua_setfield(L, -2, name);
}

static void set_string(lua_State *L, const char *name, const char *s)
{
	lua_pushstring(L, s);
	lua_setfield(L, -2, name);
}

/* Texts one behind another, each with its NUL. */
static void set_list(lua_State *L, const char *name, const struct rstr *s)
{
	lua_Integer n = 0;

	lua_newtable(L);
	for (uint32_t at = 0; at < s->len;) {
		size_t len = strnlen(s->s + at, s->len - at);

		lua_pushlstring(L, s->s + at, len);
		lua_rawseti(L, -2, ++n);
		at += (uint32_t)len + 1;
	}
	lua_setfield(L, -2, name);
}

/* Names lose what is not printable (those of unix sockets in /proc end in a newline), and in compat mode all bytes beyond
 * ASCII. */
static void set_clean(struct listing *l, const char *name, const char *s, size_t len)
{
	luaL_Buffer b;

	luaL_buffinit(l->L, &b);
	for (size_t i = 0; i < len && s[i]; i++) {
		unsigned char c = (unsigned char)s[i];

		if ((c >= 0x20 && c < 0x7f) || (c >= 0x80 && !l->cs->host->compat029))
			luaL_addchar(&b, s[i]);
	}
	luaL_pushresult(&b);
	lua_setfield(l->L, -2, name);
}

static void set_addr(lua_State *L, const char *name, const uint8_t *addr, bool v6)
{
	char tmp[INET6_ADDRSTRLEN];

	lua_pushstring(L, inet_ntop(v6 ? AF_INET6 : AF_INET, addr, tmp, sizeof(tmp)));
	lua_setfield(L, -2, name);
}

/* Ends whose roles are not known have no protocol either. */
static const char *l4_name(const struct fd_ver *f, bool server)
{
	unsigned l4 = server || (f->flags & (FDF_ROLE_CLIENT | FDF_ROLE_SERVER)) ? f->l4proto : L4_NA;
	static const char *const names[] = { [L4_TCP] = "tcp", [L4_UDP] = "udp", [L4_ICMP] = "icmp", [L4_RAW] = "raw" };

	return l4 < ARRAY_SIZE(names) && names[l4] ? names[l4] : "<NA>";
}

static void set_socket(lua_State *L, const struct fd_ver *f)
{
	bool server = f->kind == FDK_IPV4_SERV || f->kind == FDK_IPV6_SERV;
	bool v6 = f->kind == FDK_IPV6 || f->kind == FDK_IPV6_SERV;

	if (server) {
		set_addr(L, "sip", f->sip, v6);
		set_u32(L, "sport", f->sport);
	} else {
		set_addr(L, "cip", f->sip, v6);
		set_u32(L, "cport", f->sport);
		set_addr(L, "sip", f->dip, v6);
		set_u32(L, "sport", f->dport);
	}
	lua_pushboolean(L, server || (f->flags & FDF_ROLE_SERVER));
	lua_setfield(L, -2, "is_server");
	lua_pushstring(L, l4_name(f, server));
	lua_setfield(L, -2, "l4proto");
}

static bool is_socket(const struct fd_ver *f)
{
	return f->kind == FDK_IPV4 || f->kind == FDK_IPV6 || f->kind == FDK_IPV4_SERV || f->kind == FDK_IPV6_SERV;
}

static void add_fd(struct listing *l, int fd, const struct fd_ver *f)
{
	lua_State *L = l->L;
	uint32_t len;

	if (!ask(l, fd))
		return;
	l->any = true;
	if (l->form & TF_NO_FDS)
		return;
	lua_newtable(L);
	if (!(l->form & TF_BAREBONE)) {
		const char *name = fd_ver_name(f, l->cs->host->compat029, &len), *type = fd_kind_name(f->kind);

		set_clean(l, "name", name, len);
		lua_pushstring(L, type ? type : "<NA>");
		lua_setfield(L, -2, "type");
	}
	if (is_socket(f))
		set_socket(L, f);
	lua_rawseti(L, l->fds, fd);
}

static uint64_t count_childs(const struct listing *l)
{
	return l->t->tid == l->v->pid ? state_nthreads_at(l->t, l->ord) : 0;
}

/* The bits that sysdig keeps up itself: threads of the process list count as renamed, one that is ending as closed. */
static uint32_t thread_flags(const struct listing *l)
{
	uint32_t flags = l->v->flags;

	if (!l->t->birth && !l->v->placeholder)
		flags |= PPM_CL_NAME_CHANGED;
	if (atomic_load_explicit(&l->t->death, memory_order_relaxed) == l->ord + 1) /* ours to see: ord is applied */
		flags |= PPM_CL_CLOSED;
	return flags;
}

/* The environment is the process's. */
static const struct rstr *thread_env(const struct listing *l)
{
	struct thread *m = l->v->pid == l->t->tid ? NULL : state_thread_at(l->root, l->v->pid, l->ord);
	const struct thread_ver *v = m ? thread_ver_at(m, l->ord) : NULL;

	return v ? v->env : l->v->env;
}

/* Into the table on top of the stack. */
static void set_details(struct listing *l)
{
	lua_State *L = l->L;
	const struct thread_ver *v = l->v;
	const struct thread_vol *vol = thread_vol_at(l->t, l->ord);
	const struct user *u = state_user_at(l->root, v->uid, l->ord);
	char ts[24];

	set_u32(L, "ptid", (uint64_t)v->ptid);
	set_text(L, "comm", v->comm->s, v->comm->len);
	set_text(L, "exe", v->exe->s, v->exe->len);
	set_u32(L, "flags", thread_flags(l));
	set_u32(L, "fdlimit", v->fdlimit);
	set_u32(L, "uid", v->uid);
	set_u32(L, "gid", v->gid);
	set_u32(L, "nchilds", count_childs(l));
	set_u32(L, "vmsize_kb", vol ? vol->vmsize_kb : 0);
	set_u32(L, "vmrss_kb", vol ? vol->vmrss_kb : 0);
	set_u32(L, "vmswap_kb", vol ? vol->vmswap_kb : 0);
	set_u32(L, "pfmajor", vol ? vol->pfmajor : 0);
	set_u32(L, "pfminor", vol ? vol->pfminor : 0);
	snprintf(ts, sizeof(ts), "%llu", (unsigned long long)v->clone_ts);
	lua_pushstring(L, ts);
	lua_setfield(L, -2, "clone_ts");
	lua_pushstring(L, u ? u->name : "<NA>");
	lua_setfield(L, -2, "username");
	set_list(L, "args", v->args);
	set_list(L, "env", thread_env(l));
}

static void add_thread(struct listing *l, struct thread *t)
{
	lua_State *L = l->L;

	l->t = t;
	l->v = thread_ver_at(t, l->ord);
	if (!l->v)
		return;
	luaL_checkstack(L, 12, "thread table");
	lua_newtable(L);
	l->fds = lua_gettop(L);
	l->any = !l->ask;
	l->rows->nfds = 0;
	if (l->ask || !(l->form & TF_NO_FDS))
		check_collected(L, state_fds_each(l->root, t, l->v, l->ord, collect_fd, l->rows));
	for (size_t i = 0; i < l->rows->nfds; i++)
		add_fd(l, l->rows->fds[i].fd, l->rows->fds[i].v);
	if (!l->any) {
		lua_pop(L, 1);
		return;
	}
	lua_newtable(L);
	set_u32(L, "tid", (uint64_t)t->tid);
	set_u32(L, "pid", (uint64_t)l->v->pid);
	if (!(l->form & TF_BAREBONE))
		set_details(l);
	lua_insert(L, -2);
	lua_setfield(L, -2, "fdtable");
	lua_rawseti(L, l->table, (uint32_t)t->tid);
}

static int thread_table(lua_State *L, const char *fn, unsigned form)
{
	struct listing l = { .L = L, .form = form };
	const char *text = lua_isstring(L, 1) ? lua_tostring(L, 1) : ""; /* anything else is ignored */

	lua_settop(L, 1);
	lua_newtable(L);
	l.table = 2;
	if (!find_place(lstate_of(L), &l))
		return 1;
	if (*text)
		l.ask = make_asker(L, &l, text, fn);
	push_rows(&l);
	check_collected(L, state_threads_each(l.root, l.ord, collect_thread, l.rows));
	for (size_t i = 0; i < l.rows->nthreads; i++)
		add_thread(&l, l.rows->threads[i]);
	lua_settop(L, 2);
	return 1;
}

static int s_thread_table(lua_State *L)
{
	return thread_table(L, "get_thread_table", TF_ALL);
}

static int s_thread_table_nofds(lua_State *L)
{
	return thread_table(L, "get_thread_table_nofds", TF_NO_FDS);
}

static int s_thread_table_barebone(lua_State *L)
{
	return thread_table(L, "get_thread_table_barebone", TF_BAREBONE);
}

static int s_thread_table_barebone_nofds(lua_State *L)
{
	return thread_table(L, "get_thread_table_barebone_nofds", TF_BAREBONE | TF_NO_FDS);
}

/* ---- containers ------------------------------------------------------------------------------------------------------ */

/* A thread of nothing but the container's id: what a filter on container.* fields looks at. */
struct ghost {
	struct thread t;
	struct thread_ver v;
	struct rstr none; /* no text */
	uint32_t pad_;
	struct rstr id; /* its text follows */
};

static struct ghost *make_ghost(lua_State *L, const struct container *c)
{
	size_t len = strlen(c->id);
	struct ghost *g = lua_newuserdatauv(L, sizeof(*g) + len + 1, 0);
	struct rstr **texts[] = { &g->v.comm, &g->v.exe, &g->v.exepath, &g->v.args, &g->v.env, &g->v.cwd, &g->v.root,
				  &g->v.cgroups };

	memset(g, 0, sizeof(*g));
	memcpy(g->id.s, c->id, len + 1);
	g->id.len = (uint32_t)len;
	for (unsigned i = 0; i < ARRAY_SIZE(texts); i++)
		*texts[i] = &g->none;
	g->v.container_id = &g->id;
	atomic_init(&g->t.death, ORD_NEVER);
	atomic_init(&g->t.ver, &g->v);
	return g;
}

static bool container_wanted(struct listing *l, const struct container *c)
{
	if (!l->ask)
		return true;
	struct ghost *g = make_ghost(l->L, c);
	l->t = &g->t;
	l->v = &g->v;
	bool yes = ask(l, -1);
	lua_pop(l->L, 1);
	return yes;
}

/* The manual says images where the program says image: known by both names, listed under one. */
static int images(lua_State *L)
{
	if (lua_type(L, 2) == LUA_TSTRING && !strcmp(lua_tostring(L, 2), "images"))
		lua_getfield(L, 1, "image");
	else
		lua_pushnil(L);
	return 1;
}

static void push_container_meta(lua_State *L)
{
	if (luaL_newmetatable(L, "burin.container")) {
		lua_pushcfunction(L, images);
		lua_setfield(L, -2, "__index");
	}
}

static void add_container(struct listing *l, const struct container *c)
{
	lua_State *L = l->L;
	const char *type = container_type_name(c->type, l->cs->host->compat029);

	if (!container_wanted(l, c))
		return;
	luaL_checkstack(L, 4, "container table");
	lua_createtable(L, 0, 5);
	set_string(L, "id", c->id);
	set_string(L, "name", c->name);
	set_string(L, "image", c->image);
	set_string(L, "type", type && *type ? type : "unknown");
	push_container_meta(L);
	lua_setmetatable(L, -2);
	lua_rawseti(L, l->table, luaL_len(L, l->table) + 1);
}

static int s_container_table(lua_State *L)
{
	struct listing l = { .L = L };
	const char *text = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : "";
	struct filter *f = NULL;

	lua_settop(L, 1);
	lua_newtable(L);
	l.table = 2;
	if (!find_place(lstate_of(L), &l))
		return 1;
	/* sysdig ignores the argument, the manual has a filter: one that is none is ignored here. */
	if (*text && !filter_compile(&f, text, l.cs->host->compat029, NULL)) {
		const char *wrong = NULL;
		bool usable = !filter_each_field(f, check_class, &wrong);

		filter_free(f);
		if (usable)
			l.ask = make_asker(L, &l, text, "get_container_table");
	}
	push_rows(&l);
	check_collected(L, state_containers_each(l.root, l.ord, l.cs->host->compat029, collect_container, l.rows));
	for (size_t i = 0; i < l.rows->ncontainers; i++)
		add_container(&l, &l.rows->containers[i]);
	lua_settop(L, 2);
	return 1;
}

void api_tables_open(lua_State *L)
{
	static const luaL_Reg fns[] = {
		{ "get_thread_table", s_thread_table },
		{ "get_thread_table_nofds", s_thread_table_nofds },
		{ "get_thread_table_barebone", s_thread_table_barebone },
		{ "get_thread_table_barebone_nofds", s_thread_table_barebone_nofds },
		{ "get_container_table", s_container_table },
		{ NULL, NULL },
	};

	lua_getglobal(L, "sysdig");
	luaL_setfuncs(L, fns, 0);
	lua_pop(L, 1);
}
