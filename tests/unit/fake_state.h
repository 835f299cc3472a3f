/* Fakes of the state for tests and benchmarks of what prints events: one thread "bash" (tid 16697)
 * in /home/tracee, a few descriptors of every kind, one user, one group. Included once per program.
 */
#ifndef BURIN_TESTS_FAKE_STATE_H
#define BURIN_TESTS_FAKE_STATE_H

#include <stdlib.h>

#include "state/bind.h"
#include "state/state.h"

static inline struct rstr *fake_rstr(const char *s)
{
	struct rstr *r = calloc(1, sizeof(*r) + strlen(s) + 1);

	r->len = (uint32_t)strlen(s);
	memcpy(r->s, s, r->len + 1);
	return r;
}

static struct thread fake_thread;
static struct thread_ver fake_ver;
static bool thread_known = true;
static int64_t raw_result;
static uint64_t latency;

static struct {
	int64_t fd;
	struct fd_ver f;
	const char *name;
} fds[] = {
	{0, {.kind = FDK_FILE}, "/dev/null"},
	{1,
	 {.kind = FDK_IPV4, .l4proto = L4_TCP, .flags = FDF_ROLE_CLIENT},
	 "1.2.3.4:5->6.7.8.9:80"},
	{2, {.kind = FDK_IPV6, .l4proto = L4_UDP}, ""},
	{3, {.kind = FDK_IPV4_SERV, .l4proto = L4_UDP, .flags = FDF_ROLE_SERVER}, "0.0.0.0:53"},
	{4, {.kind = FDK_UNIX}, "0->0 /dev/log"},
	{5, {.kind = FDK_IPV4, .l4proto = L4_RAW}, ""},
	{6, {.kind = FDK_UNKNOWN}, ""},
	{8, {.kind = FDK_DIRECTORY}, "/var/log"},
};
static int64_t fake_fd = -1;

struct thread *evctx_thread(struct evctx *c, const struct thread_ver **v)
{
	if (v)
		*v = thread_known ? &fake_ver : NULL;
	return thread_known ? &fake_thread : NULL;
}
struct thread *evctx_main(struct evctx *c, const struct thread_ver **v)
{
	return evctx_thread(c, v);
}
const struct fd_ver *evctx_fd_n(struct evctx *c, int64_t fd)
{
	for (unsigned i = 0; i < ARRAY_SIZE(fds); i++) {
		if (fds[i].fd == fd)
			return &fds[i].f;
	}
	return NULL;
}
const struct fd_ver *evctx_fd(struct evctx *c)
{
	return evctx_fd_n(c, fake_fd);
}
bool evctx_rawres(struct evctx *c, int64_t *res)
{
	*res = raw_result;
	return true;
}
uint64_t evctx_latency(struct evctx *c)
{
	return latency;
}
struct thread *state_thread_at(const struct state_root *r, int64_t tid, uint64_t ord)
{
	return tid == 16697 ? &fake_thread : NULL;
}
const struct thread_ver *thread_ver_at(const struct thread *t, uint64_t ord)
{
	return &fake_ver;
}
const char *fd_ver_name(const struct fd_ver *f, bool compat029, uint32_t *len)
{
	for (unsigned i = 0; i < ARRAY_SIZE(fds); i++) {
		if (f == &fds[i].f) {
			*len = (uint32_t)strlen(fds[i].name);
			return fds[i].name;
		}
	}
	*len = 0;
	return "";
}
char fd_kind_letter(unsigned kind)
{
	switch (kind) {
	case FDK_FILE:
		return 'f';
	case FDK_DIRECTORY:
		return 'd';
	case FDK_IPV4:
	case FDK_IPV4_SERV:
		return '4';
	case FDK_IPV6:
		return '6';
	case FDK_UNIX:
		return 'u';
	default:
		return 'o';
	}
}
const struct user *state_user_at(const struct state_root *r, uint32_t uid, uint64_t ord)
{
	static const struct user u = {1001, 1001, "tracee", "", ""};

	return uid == 1001 ? &u : NULL;
}
const struct group *state_group_at(const struct state_root *r, uint32_t gid, uint64_t ord)
{
	static const struct group g = {0, "root"};

	return gid == 0 ? &g : NULL;
}
/* No cleaning: that is tested with the state. */
size_t path_join(char *out, const char *base, size_t base_len, const char *path, size_t path_len,
		 bool compat029)
{
	bool slash = base_len && base[base_len - 1] != '/' && path_len;

	memcpy(out, base, base_len);
	if (slash)
		out[base_len] = '/';
	memcpy(out + base_len + slash, path, path_len);
	return base_len + slash + path_len - (!path_len && base_len && base[base_len - 1] == '/');
}

size_t path_join_at(char *out, const char *dir_name, size_t dir_len, const char *path, size_t path_len,
		    bool compat029)
{
	return path_join(out, dir_name, dir_len, path, path_len, compat029);
}

static inline void fake_state_init(void)
{
	fake_ver.comm = fake_rstr("bash");
	fake_ver.cwd = fake_rstr("/home/tracee/");
}

static inline void fake_state_fini(void)
{
	free(fake_ver.comm);
	free(fake_ver.cwd);
}

#endif
