/* A field stage for tests of the filter: the real table and the real parser of field names, values from
 * the test instead of from the state. Linked in place of engine/field. One thread. */
#ifndef BURIN_TESTS_FILTER_FAKE_H
#define BURIN_TESTS_FILTER_FAKE_H

#include "field/field.h"

enum { FAKE_MAX_VALUES = 64, FAKE_MAX_ITEMS = 8 };

/* One field with its argument, as written: "fd.name", "proc.env[HOME]". Ancestors: item i is [i + 1]. */
struct fake_value {
	const struct field_info *info;
	char arg[32]; /* "" = none */
	uint32_t n;   /* values; 0 = none */
	struct value v[FAKE_MAX_ITEMS];
};

/* c.ev carries type, time stamp, cpu, tid and, for generic events, the call; the rest is in value[]. */
struct fake_event {
	struct evctx c;	  /* first: the getters find the event by it */
	uint8_t data[2], lens[2];
	struct fake_value value[FAKE_MAX_VALUES];
	uint32_t nvalues;
	uint32_t gets;	  /* calls of getters since the test last set it to 0 */
	char text[4096];  /* behind the values */
	size_t used;
};

void fake_event_init(struct fake_event *fe);
/* Sets the type by name and direction; sc: system call of a generic event. False for an unknown name. */
bool fake_event_type(struct fake_event *fe, const char *name, bool exit);
/* Parses "field=value[,value]..."; the type follows from evt.type and evt.dir. Values of type text may be quoted
 * with ' to hold blanks; \xHH is one byte. False: *why says what is wrong. */
bool fake_event_parse(struct fake_event *fe, const char *text, const char **why);
/* Adds a value of the field; text NULL: the field is there with no value. */
struct fake_value *fake_add(struct fake_event *fe, const char *field);
bool fake_add_item(struct fake_event *fe, struct fake_value *fv, uint8_t type, const char *text, size_t len);

#endif
