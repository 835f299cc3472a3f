/* Private to engine/state: arguments of the open family, shared by the handlers (apply turn) and by
 * the texts of failed attempts (any worker). */
#ifndef BURIN_STATE_APPLY_FD_H
#define BURIN_STATE_APPLY_FD_H

#include "state/state.h"

#define PATH_TOO_LONG "/PATH_TOO_LONG"
#define UNKNOWN_DIR "<UNKNOWN>" /* shown for a directory descriptor that nobody knows */

struct open_args {
	const char *name; /* borrowed from the event */
	uint32_t name_len;
	bool at; /* the call takes a directory descriptor */
	int64_t dirfd;
	uint32_t flags; /* PPM_O_* */
};
/* Name, flags and directory of an exit of the open family: from the paired enter event (NULL: none)
 * if it has a usable name, else from the exit. False when neither has one. */
bool open_args_get(struct open_args *o, struct event *e, struct event *enter);
bool open_args_enter(struct open_args *o, struct event *e, struct event *enter);
bool open_args_exit(struct open_args *o, struct event *e);
/* Base of names relative to a directory descriptor: its name and a slash. dir_name NULL: unknown.
 * NUL-terminated, cut to cap; returns the length. */
uint32_t dir_base(char *out, size_t cap, const char *dir_name, uint32_t len);

#endif
