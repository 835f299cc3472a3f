/* Private to engine/output: a parsed format. */
#ifndef BURIN_OUTPUT_FORMAT_INT_H
#define BURIN_OUTPUT_FORMAT_INT_H

#include "output/format.h"

/* Fields that every line has get steps of their own, which write the text where it belongs; the
 * others go through field_get and struct value. */
enum format_op {
	FO_FIELD,
	FO_NUM,
	FO_OUTPUTTIME,
	FO_CPU,
	FO_COMM,
	FO_TID,
	FO_DIR,
	FO_TYPE,
	FO_INFO,
	FO_ARGS,
	FO_END, /* only the text behind the last field */
};

enum { STEP_TEXT = 16 };

struct format_step {
	char text[STEP_TEXT]; /* literal in front of the field, when it fits */
	uint8_t text_len;     /* 0 when it does not fit */
	uint8_t op;	      /* enum format_op */
	bool plain;	/* never by the quick way: width, long literal, or not a special field */
	bool json_ns;	/* JSON prints the event's time stamp in ns */
	uint32_t width; /* 0 = as it comes, else padded or cut to that many bytes */
	uint32_t lit, lit_len; /* literal that does not fit, in format.lits */
	struct field_ref ref;
	char *key; /* JSON: "\"name\":"; owned */
	uint32_t key_len;
};

struct format {
	bool star;		   /* lines are printed though fields lack a value */
	struct format_step *steps; /* the last one is FO_END */
	unsigned nsteps;
	size_t line_room;		 /* bytes that a line takes when every step is quick */
	char *lits;			 /* copy of the format text */
	const struct format_step **json; /* steps with fields, by name, each name once */
	unsigned njson;
	uint32_t demand;	/* but for params_demand */
	uint32_t params_demand; /* of evt.info and evt.args, when the event may be of any type; 0 = not used */
	bool looks_back; /* whatever -t says */
	bool has_outputtime;
	uint64_t *last; /* memory of the places, one per step */
	/* Event names, in one cache line each; len 0 = generic, named by its system call. */
	struct {
		char text[31];
		uint8_t len;
	} names[EV_CODE_COUNT];
};

/* json.c: the object without newline; false as format_event. */
bool format_json(const struct format *f, struct field_env *env, struct buf *out);

#endif
