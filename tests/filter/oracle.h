/* The slow evaluator: walks the checked tree for every event, computes everything anew, folds nothing and
 * keeps nothing. Shares only the parser, the type checker and the scanning of literals with the engine. */
#ifndef BURIN_TESTS_FILTER_ORACLE_H
#define BURIN_TESTS_FILTER_ORACLE_H

#include "filter/filter_int.h"

struct oracle;

int oracle_new(struct oracle **out, const char *text, struct err *e);
void oracle_free(struct oracle *o);
bool oracle_match(struct oracle *o, struct field_env *env);

#endif
