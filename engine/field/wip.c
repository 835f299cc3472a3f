#include "field/field_int.h"
void get_WIP_container_mount(const struct field_ref *r, struct field_env *env, struct value *v) {}
void get_WIP_container_probe(const struct field_ref *r, struct field_env *env, struct value *v) {}
void get_WIP_container_host_ns(const struct field_ref *r, struct field_env *env, struct value *v) {}
void get_WIP_container_time(const struct field_ref *r, struct field_env *env, struct value *v) {}
void get_WIP_k8s(const struct field_ref *r, struct field_env *env, struct value *v) {}
void get_WIP_mesos(const struct field_ref *r, struct field_env *env, struct value *v) {}
void get_WIP_span(const struct field_ref *r, struct field_env *env, struct value *v) {}
void get_WIP_evtin(const struct field_ref *r, struct field_env *env, struct value *v) {}
void get_WIP_proc_probe(const struct field_ref *r, struct field_env *env, struct value *v) {}
void get_WIP_thread_cpu(const struct field_ref *r, struct field_env *env, struct value *v) {}
void get_WIP_thread_exectime(const struct field_ref *r, struct field_env *env, struct value *v) {}
void get_WIP_container_privileged(const struct field_ref *r, struct field_env *env, struct value *v) {}
void get_WIP_container_mounts(const struct field_ref *r, struct field_env *env, struct value *v) {}
