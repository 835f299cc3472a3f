/* The Lua part of the runtime (lua/), embedded by tools/gen_lua.py. IMMUTABLE. */
#ifndef BURIN_CHISEL_PRELUDE_H
#define BURIN_CHISEL_PRELUDE_H

#include <stddef.h>

struct lua_text {
	const char *name; /* of the module; "prelude" runs in every state before the chisel */
	const char *text;
	size_t len;
};
extern const struct lua_text lua_texts[]; /* ends with a NULL name */

#endif
