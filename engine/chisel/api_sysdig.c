/* sysdig.*: the run, the machine, time stamps, the network. Tables of threads and containers: api_tables.c. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chisel/chisel_int.h"

static int bad_arg(lua_State *L, const char *fn, int arg, const char *want)
{
	return luaL_error(L, "%s: sysdig.%s: argument %d must be %s, got %s", lstate_of(L)->c->name, fn, arg, want,
			  luaL_typename(L, arg));
}

static const char *check_text(lua_State *L, const char *fn, int arg)
{
	if (!lua_isstring(L, arg))
		bad_arg(L, fn, arg, "a string");
	return lua_tostring(L, arg);
}

static bool main_state(lua_State *L)
{
	return lstate_of(L)->w == MAIN_STATE;
}

/* ---- the run ------------------------------------------------------------------------------------------------- */

static int s_set_filter(lua_State *L)
{
	struct lstate *ls = lstate_of(L);
	const char *text = check_text(L, "set_filter", 1);

	if (ls->phase > LP_INIT)
		return luaL_error(L, "%s: sysdig.set_filter: only possible in on_init", ls->c->name);
	if (!main_state(L))
		return 0;
	char *copy = strdup(text);
	if (!copy)
		return luaL_error(L, "out of memory");
	free(ls->c->cs->req_filter);
	ls->c->cs->req_filter = copy;
	return 0;
}

static int s_get_filter(lua_State *L)
{
	struct chisels *cs = lstate_of(L)->c->cs;

	lua_pushstring(L, cs->req_filter ? cs->req_filter : cs->host->filter_text ? cs->host->filter_text : "");
	return 1;
}

static int s_set_snaplen(lua_State *L)
{
	if (!lua_isnumber(L, 1))
		return bad_arg(L, "set_snaplen", 1, "a number");
	lua_Number n = lua_tonumber(L, 1);
	if (main_state(L) && n >= 0 && n <= UINT32_MAX)
		lstate_of(L)->c->cs->req_snaplen = (uint32_t)n;
	return 0;
}

/* Workers read the options once there are events: those then stay, and the ordered side has its own. */
static void use_buffer_mode(struct lstate *ls, uint8_t mode)
{
	struct chisels *cs = ls->c->cs;

	if (ls->phase <= LP_START) {
		cs->host->ro->buffer_mode = mode;
		return;
	}
	cs->late_ro = *cs->host->ro;
	cs->late_ro.buffer_mode = mode;
	cs->ro_late = true;
	if (ls->ev.env) {
		ls->ev.env->ro = &cs->late_ro;
		ls->ev.nvals = 0;
	}
}

static int s_set_output_format(lua_State *L)
{
	static const struct { const char *name; int mode; } formats[] = {
		{ "normal", BUF_DOTTED }, { "ascii", BUF_PRINTABLE }, { "hex", BUF_HEX }, { "hexascii", BUF_HEXASCII },
		{ "base64", BUF_BASE64 }, { "json", -1 }, { "jsonbase64", BUF_BASE64 }, { "simple", -1 },
	};
	struct lstate *ls = lstate_of(L);
	struct render_opts *ro = ls->c->cs->host->ro;
	const char *name = check_text(L, "set_output_format", 1);

	/* The first choice stands, be it the command line's or a script's. */
	if (ro->buffer_mode != BUF_DOTTED || ro->json || ls->c->cs->ro_late)
		return 0;
	for (unsigned i = 0; i < ARRAY_SIZE(formats); i++) {
		if (strcmp(name, formats[i].name))
			continue;
		if (formats[i].mode >= 0 && main_state(L))
			use_buffer_mode(ls, (uint8_t)formats[i].mode);
		return 0;
	}
	return luaL_error(L, "invalid set_output_format value in chisel %s: %s", ls->c->name, name);
}

static int s_get_output_format(lua_State *L)
{
	lua_pushstring(L, lstate_of(L)->c->cs->host->json ? "json" : "normal");
	return 1;
}

static int s_set_fatfile_dump_mode(lua_State *L)
{
	if (!lua_isboolean(L, 1))
		return bad_arg(L, "set_fatfile_dump_mode", 1, "a boolean");
	if (main_state(L))
		lstate_of(L)->c->cs->req_fatfile = lua_toboolean(L, 1);
	return 0;
}

static int s_is_live(lua_State *L)
{
	struct lstate *ls = lstate_of(L);

	lua_pushboolean(L, ls->c->cs->host->is_live && ls->phase > LP_INIT); /* the source is not open before */
	return 1;
}

static int s_is_tty(lua_State *L)
{
	lua_pushboolean(L, isatty(STDOUT_FILENO));
	return 1;
}

static int s_get_terminal_info(lua_State *L)
{
	struct winsize ws;
	bool tty = isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws);

	lua_createtable(L, 0, 2);
	lua_pushinteger(L, tty ? ws.ws_col : -1);
	lua_setfield(L, -2, "width");
	lua_pushinteger(L, tty ? ws.ws_row : -1);
	lua_setfield(L, -2, "height");
	return 1;
}

static int s_is_print_container_data(lua_State *L)
{
	lua_pushboolean(L, lstate_of(L)->c->cs->host->print_container_data);
	return 1;
}

static int s_get_evtsource_name(lua_State *L)
{
	struct chisels *cs = lstate_of(L)->c->cs;

	lua_pushstring(L, cs->started && cs->in.name ? cs->in.name : "");
	return 1;
}

static int s_get_read_progress(lua_State *L)
{
	struct lstate *ls = lstate_of(L);
	struct chisels *cs = ls->c->cs;

	if (!cs->started)
		return luaL_error(L, "%s: sysdig.get_read_progress: the source is not open yet", ls->c->name);
	if (ls->phase == LP_END)
		lua_pushnumber(L, 100);
	else
		lua_pushnumber(L, cs->in.raw_size ? (double)cs->raw_off * 100 / (double)cs->in.raw_size : 0);
	return 1;
}

static int s_run_app(lua_State *L)
{
	const char *text = check_text(L, "run_app", 1);

	if (!main_state(L))
		return 0;
	struct chisels *cs = lstate_of(L)->c->cs;
	char *copy = strdup(text);
	if (!copy)
		return luaL_error(L, "out of memory");
	free(cs->req_run_app);
	cs->req_run_app = copy;
	return 0;
}

static int s_end_capture(lua_State *L)
{
	struct lstate *ls = lstate_of(L);

	if (ls->w != MAIN_STATE && ls->phase == LP_EVENT)
		return luaL_error(L, "%s: sysdig.end_capture in on_event of a chisel that runs in parallel; declare "
				     "mode = \"ordered\"", ls->c->name);
	ls->end_capture = true;
	return 0;
}

static int s_get_machine_info(lua_State *L)
{
	struct lstate *ls = lstate_of(L);
	struct chisels *cs = ls->c->cs;

	if (ls->phase < LP_START || !cs->in.root)
		return luaL_error(L, "%s: sysdig.get_machine_info can only be called from the on_capture_start callback",
				  ls->c->name);
	const struct machine_info *m = state_machine(cs->in.root);
	lua_createtable(L, 0, 4);
	lua_pushinteger(L, m->num_cpus);
	lua_setfield(L, -2, "num_cpus");
	lua_pushinteger(L, (lua_Integer)m->memory_bytes);
	lua_setfield(L, -2, "memory_size_bytes");
	lua_pushinteger(L, (lua_Integer)m->max_pid);
	lua_setfield(L, -2, "max_pid");
	lua_pushstring(L, m->hostname);
	lua_setfield(L, -2, "hostname");
	return 1;
}

/* An unknown level counts as info. */
static int s_log(lua_State *L)
{
	static const char *const levels[] = { "debug", "info", "warning", "error", "critical" };
	const struct chisel_host *h = lstate_of(L)->c->cs->host;
	const char *text = check_text(L, "log", 1), *level = check_text(L, "log", 2);
	unsigned n = 1;

	for (unsigned i = 0; i < ARRAY_SIZE(levels); i++)
		if (!strcmp(level, levels[i]))
			n = i;
	if (h->log && main_state(L))
		h->log(h->log_ctx, n, text);
	return 0;
}

static int s_push_metric(lua_State *L)
{
	check_text(L, "push_metric", 1);
	if (!lua_isnumber(L, 2))
		return bad_arg(L, "push_metric", 2, "a number");
	if (!lua_istable(L, 3))
		return bad_arg(L, "push_metric", 3, "a table of tags");
	return 0;
}

/* ---- time stamps as decimal texts --------------------------------------------------------------------------------- */

static int push_u64(lua_State *L, uint64_t v)
{
	char tmp[24];

	snprintf(tmp, sizeof(tmp), "%" PRIu64, v);
	lua_pushstring(L, tmp);
	return 1;
}

static int s_get_firstevent_ts(lua_State *L)
{
	return push_u64(L, lstate_of(L)->c->cs->first_ts);
}

static int s_get_lastevent_ts(lua_State *L)
{
	const struct lstate *ls = lstate_of(L);
	const struct batch *b = ls->ev.b;
	const uint8_t *blk = b ? b->data + b->ev[ls->ev.idx].off : NULL;

	return push_u64(L, b ? load_u64(blk + event_block_hdr_off(load_u32(blk))) : ls->c->cs->last_ts);
}

static uint32_t cut32(lua_State *L, const char *fn, int arg)
{
	if (!lua_isnumber(L, arg))
		bad_arg(L, fn, arg, "a number");
	lua_Number n = lua_tonumber(L, arg);
	return n >= -9e18 && n <= 9e18 ? (uint32_t)(int64_t)n : 0;
}

static int s_make_ts(lua_State *L)
{
	return push_u64(L, (uint64_t)cut32(L, "make_ts", 1) * 1000000000u + cut32(L, "make_ts", 2));
}

static uint64_t ts_arg(lua_State *L, const char *fn, int arg)
{
	char *end;

	if (lua_isinteger(L, arg))
		return (uint64_t)lua_tointeger(L, arg);
	if (lua_type(L, arg) == LUA_TNUMBER) {
		lua_Number n = lua_tonumber(L, arg);
		if (n != floor(n))
			bad_arg(L, fn, arg, "a decimal number");
		return n >= -9e18 && n < 1.8e19 ? (n < 0 ? (uint64_t)(int64_t)n : (uint64_t)n) : 0;
	}
	const char *s = check_text(L, fn, arg);
	uint64_t v = strtoull(s, &end, 10);
	if (end == s || *end)
		bad_arg(L, fn, arg, "a decimal number");
	return v;
}

static int push_i64(lua_State *L, int64_t v)
{
	char tmp[24];

	snprintf(tmp, sizeof(tmp), "%" PRId64, v);
	lua_pushstring(L, tmp);
	return 1;
}

static int s_add_ts(lua_State *L)
{
	return push_i64(L, (int64_t)(ts_arg(L, "add_ts", 1) + ts_arg(L, "add_ts", 2)));
}

static int s_subtract_ts(lua_State *L)
{
	return push_i64(L, (int64_t)(ts_arg(L, "subtract_ts", 1) - ts_arg(L, "subtract_ts", 2)));
}

/* ---- datagrams ------------------------------------------------------------------------------------------------------ */

static int s_udp_setpeername(lua_State *L)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct chisels *cs = lstate_of(L)->c->cs;
	const char *ip = check_text(L, "udp_setpeername", 1);

	if (!lua_isnumber(L, 2))
		return bad_arg(L, "udp_setpeername", 2, "a port");
	lua_Number port = lua_tonumber(L, 2);
	if (inet_pton(AF_INET, ip, &to.sin_addr) != 1)
		return luaL_error(L, "%s: sysdig.udp_setpeername: argument 1: inet_pton error occurred: %s is not an IPv4 address",
				  lstate_of(L)->c->name, ip);
	if (!(port >= 0 && port <= 65535))
		return bad_arg(L, "udp_setpeername", 2, "a port from 0 to 65535");
	to.sin_port = htons((uint16_t)port);
	if (!main_state(L))
		return 0;
	if (cs->udp_fd >= 0)
		close(cs->udp_fd);
	cs->udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (cs->udp_fd < 0 || connect(cs->udp_fd, (struct sockaddr *)&to, sizeof(to)))
		return luaL_error(L, "sysdig.udp_setpeername: %s", strerror(errno));
	return 0;
}

static int s_udp_send(lua_State *L)
{
	struct lstate *ls = lstate_of(L);
	size_t n;

	check_text(L, "udp_send", 1);
	const char *s = lua_tolstring(L, 1, &n);
	if (ls->w != MAIN_STATE) {
		if (ls->phase == LP_EVENT)
			return luaL_error(L, "%s: sysdig.udp_send in on_event of a chisel that runs in parallel; declare "
					     "mode = \"ordered\"", ls->c->name);
		return 0;
	}
	if (ls->c->cs->udp_fd < 0)
		return luaL_error(L, "%s: sysdig.udp_send: call sysdig.udp_setpeername first", ls->c->name);
	if (send(ls->c->cs->udp_fd, s, n, 0) < 0)
		return luaL_error(L, "sysdig.udp_send: %s", strerror(errno));
	return 0;
}

void api_sysdig_open(lua_State *L)
{
	static const luaL_Reg fns[] = {
		{ "set_filter", s_set_filter },
		{ "get_filter", s_get_filter },
		{ "set_snaplen", s_set_snaplen },
		{ "set_output_format", s_set_output_format },
		{ "get_output_format", s_get_output_format },
		{ "set_fatfile_dump_mode", s_set_fatfile_dump_mode },
		{ "is_live", s_is_live },
		{ "islive", s_is_live }, /* the manual's spelling */
		{ "is_tty", s_is_tty },
		{ "get_terminal_info", s_get_terminal_info },
		{ "is_print_container_data", s_is_print_container_data },
		{ "get_evtsource_name", s_get_evtsource_name },
		{ "get_read_progress", s_get_read_progress },
		{ "run_app", s_run_app },
		{ "run_sysdig", s_run_app },
		{ "end_capture", s_end_capture },
		{ "get_machine_info", s_get_machine_info },
		{ "log", s_log },
		{ "push_metric", s_push_metric },
		{ "get_firstevent_ts", s_get_firstevent_ts },
		{ "get_lastevent_ts", s_get_lastevent_ts },
		{ "make_ts", s_make_ts },
		{ "add_ts", s_add_ts },
		{ "subtract_ts", s_subtract_ts },
		{ "udp_setpeername", s_udp_setpeername },
		{ "udp_send", s_udp_send },
		{ NULL, NULL },
	};
	static const char *const same_in_chisel[] = { "set_interval_s", "set_interval_ns" };

	luaL_newlib(L, fns);
	lua_getglobal(L, "chisel");
	for (unsigned i = 0; i < ARRAY_SIZE(same_in_chisel); i++) { /* the manual has them in both */
		lua_getfield(L, -1, same_in_chisel[i]);
		lua_setfield(L, -3, same_in_chisel[i]);
	}
	lua_pop(L, 1);
	lua_setglobal(L, "sysdig");
}
