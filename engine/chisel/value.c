/* Field values as Lua values and as aggregate keys. Number model: spec lua51-on-54.md section 3. */
#include <arpa/inet.h>
#include <math.h>

#include "chisel/chisel_int.h"
#include "field/render.h"

static const double EXACT_MAX = 9007199254740992.0; /* 2^53 */

enum vclass { VC_NIL, VC_SIGNED, VC_UNSIGNED, VC_DOUBLE, VC_BOOL, VC_TEXT, VC_BYTES, VC_ADDR };

static ALWAYS_INLINE enum vclass class_of(unsigned type)
{
	/* Socket tuples, fd lists, signal sets ...: nil (spec chisel-api.md section 6) */
	static const uint8_t classes[256] = {
		[PT_INT8] = VC_SIGNED, [PT_INT16] = VC_SIGNED, [PT_INT32] = VC_SIGNED, [PT_INT64] = VC_SIGNED,
		[PT_ERRNO] = VC_SIGNED, [PT_FD] = VC_SIGNED, [PT_PID] = VC_SIGNED, [PT_FD32] = VC_SIGNED,
		[PT_PID32] = VC_SIGNED,
		[PT_UINT8] = VC_UNSIGNED, [PT_UINT16] = VC_UNSIGNED, [PT_UINT32] = VC_UNSIGNED,
		[PT_UINT64] = VC_UNSIGNED, [PT_RELTIME] = VC_UNSIGNED, [PT_ABSTIME] = VC_UNSIGNED,
		[PT_PORT] = VC_UNSIGNED, [PT_L4PROTO] = VC_UNSIGNED, [PT_SOCKFAMILY] = VC_UNSIGNED,
		[PT_FLAGS8] = VC_UNSIGNED, [PT_FLAGS16] = VC_UNSIGNED, [PT_FLAGS32] = VC_UNSIGNED,
		[PT_UID] = VC_UNSIGNED, [PT_GID] = VC_UNSIGNED, [PT_MODE] = VC_UNSIGNED,
		[PT_ENUMFLAGS8] = VC_UNSIGNED, [PT_ENUMFLAGS16] = VC_UNSIGNED, [PT_ENUMFLAGS32] = VC_UNSIGNED,
		[PT_DOUBLE] = VC_DOUBLE,
		[PT_BOOL] = VC_BOOL,
		[PT_CHARBUF] = VC_TEXT, [PT_FSPATH] = VC_TEXT, [PT_FSRELPATH] = VC_TEXT,
		[PT_CHARBUFARRAY] = VC_BYTES, [PT_BYTEBUF] = VC_BYTES,
		[PT_IPV4ADDR] = VC_ADDR, [PT_IPV6ADDR] = VC_ADDR, [PT_IPADDR] = VC_ADDR,
	};

	return classes[type];
}

static void push_double(lua_State *L, double d)
{
	if (d >= -EXACT_MAX && d <= EXACT_MAX && d == floor(d))
		lua_pushinteger(L, (lua_Integer)d);
	else
		lua_pushnumber(L, d);
}

static bool wants_nul(const struct chisel_field *f, const struct value *v)
{
	return f->raw_text && (!v->len || v->s[v->len - 1]);
}

static const char *addr_text(const struct value *v, char *tmp, size_t cap)
{
	return inet_ntop(v->len == 16 ? AF_INET6 : AF_INET, v->s, tmp, (socklen_t)cap);
}

static void push_rendered(lua_State *L, const struct value *v)
{
	struct lstate *ls = lstate_of(L);

	buf_reset(&ls->text);
	render_buffer(&ls->text, (const uint8_t *)v->s, v->len, ls->ev.env ? ls->ev.env->ro : ls->c->cs->host->ro);
	if (buf_failed(&ls->text))
		luaL_error(L, "out of memory");
	lua_pushlstring(L, ls->text.p ? ls->text.p : "", ls->text.len);
}

void push_value(lua_State *L, const struct chisel_field *f, const struct value *v)
{
	char tmp[INET6_ADDRSTRLEN];

	if (!v->has) {
		lua_pushnil(L);
		return;
	}
	switch (class_of(v->type)) {
	case VC_SIGNED:
		if (v->i > -(int64_t)EXACT_MAX && v->i < (int64_t)EXACT_MAX)
			lua_pushinteger(L, v->i);
		else
			lua_pushnumber(L, (double)v->i);
		return;
	case VC_UNSIGNED:
		if (v->u < (uint64_t)EXACT_MAX)
			lua_pushinteger(L, (lua_Integer)v->u);
		else
			lua_pushnumber(L, (double)v->u);
		return;
	case VC_DOUBLE:
		push_double(L, v->d);
		return;
	case VC_BOOL:
		lua_pushboolean(L, v->u != 0);
		return;
	case VC_TEXT:
		if (wants_nul(f, v)) {
			luaL_Buffer b;
			luaL_buffinit(L, &b);
			luaL_addlstring(&b, v->s, v->len);
			luaL_addchar(&b, '\0');
			luaL_pushresult(&b);
			return;
		}
		/* fall through */
	case VC_BYTES:
		if (f->rendered)
			push_rendered(L, v);
		else
			lua_pushlstring(L, v->s, v->len);
		return;
	case VC_ADDR:
		lua_pushstring(L, addr_text(v, tmp, sizeof(tmp)));
		return;
	default:
		lua_pushnil(L);
	}
}

static bool int_datum(struct agg_datum *d, int64_t i)
{
	d->kind = AGG_INT;
	d->i = i;
	return true;
}

static bool num_datum(struct agg_datum *d, double v)
{
	if (v >= -EXACT_MAX && v <= EXACT_MAX && v == floor(v))
		return int_datum(d, (int64_t)v);
	d->kind = AGG_NUM;
	d->d = v;
	return true;
}

static bool text_datum(struct agg_datum *d, const char *s, size_t len)
{
	d->kind = AGG_TEXT;
	d->s = s;
	d->len = (uint32_t)len;
	return true;
}

static bool rendered_datum(struct agg_datum *d, const struct value *v, struct field_env *env)
{
	struct buf b;

	buf_init(&b);
	render_buffer(&b, (const uint8_t *)v->s, v->len, env->ro);
	const char *p = buf_failed(&b) ? NULL : arena_dup(env->scratch, b.p ? b.p : "", b.len);
	size_t len = b.len;
	buf_fini(&b);
	return p && text_datum(d, p, len);
}

bool value_datum(const struct chisel_field *f, const struct value *v, struct field_env *env, struct agg_datum *d)
{
	char tmp[INET6_ADDRSTRLEN], *p;

	d->kind = AGG_NIL;
	if (!v->has)
		return false;
	switch (class_of(v->type)) {
	case VC_SIGNED:
		return int_datum(d, v->i);
	case VC_UNSIGNED:
		return v->u <= INT64_MAX ? int_datum(d, (int64_t)v->u) : num_datum(d, (double)v->u);
	case VC_DOUBLE:
		return num_datum(d, v->d);
	case VC_BOOL:
		d->kind = AGG_BOOL;
		d->i = v->u != 0;
		return true;
	case VC_TEXT:
	case VC_BYTES:
		return f->rendered ? rendered_datum(d, v, env) : text_datum(d, v->s, v->len);
	case VC_ADDR:
		addr_text(v, tmp, sizeof(tmp));
		p = arena_dup(env->scratch, tmp, strlen(tmp) + 1);
		return p && text_datum(d, p, strlen(p));
	default:
		return false;
	}
}
