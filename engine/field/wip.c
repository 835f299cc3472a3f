#include "field/field_int.h"
void get_WIP_span(const struct field_ref *r, struct field_env *env, struct value *v) {}
void get_WIP_evtin(const struct field_ref *r, struct field_env *env, struct value *v) {}
