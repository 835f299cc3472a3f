/* Memory policy of workers: with jemalloc each worker allocates from an arena of its own, so that
 * workers do not contend and what one frees in bulk goes back in bulk. Without jemalloc: nothing. */
#ifndef BURIN_WORKER_MEMORY_H
#define BURIN_WORKER_MEMORY_H

/* Binds the calling thread to worker id's arena; made at first use and reused by later runs. */
void memory_bind_worker(unsigned id);

#endif
