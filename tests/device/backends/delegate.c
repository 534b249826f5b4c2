/* A delegate that does what BEHAVIOUR says, through TensorFlow Lite's external-delegate interface.

   The structures are those of tensorflow/lite/core/c/common.h, as far as they are used here. */

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
  WORKS,
  REFUSES,
  REFUSES_WITHOUT_A_WORD,
  CRASHES_AT_ONCE,
  CRASHES_WHEN_IT_COMPUTES,
  CRASHES_WHEN_CLOSED,
  ABORTS,
  EXITS,
  HANGS,
  HANGS_WHEN_IT_COMPUTES,
  REFUSES_THE_MODEL,
  COMPUTES_NOTHING,
  PRINTS,
};

typedef struct { int size; int data[]; } IntArray;
typedef struct Context Context;
typedef struct Delegate Delegate;

typedef struct {
  void *(*init)(Context *, const char *, size_t);
  void (*free)(Context *, void *);
  int (*prepare)(Context *, void *);
  int (*invoke)(Context *, void *);
  const char *(*profiling_string)(const Context *, const void *);
  int32_t builtin_code;
  const char *custom_name;
  int version;
  void *rest[8];
} Registration;

struct Context {
  size_t tensors_size;
  int (*get_execution_plan)(Context *, IntArray **);
  void *tensors;
  void *impl;
  void *resize_tensor;
  void *report_error;
  void *add_tensors;
  void *get_node_and_registration;
  int (*replace_node_subsets)(Context *, Registration, const IntArray *, Delegate *);
};

struct Delegate {
  void *data;
  int (*prepare)(Context *, Delegate *);
  void *buffer_handles[3];
  int64_t flags;
  void *opaque_builder;
};

static void crash(void) { raise(SIGSEGV); }

static void hang(void) {
  for (;;) pause();
}

static int invoke(Context *context, void *node) {
  if (BEHAVIOUR == CRASHES_WHEN_IT_COMPUTES) crash();
  if (BEHAVIOUR == HANGS_WHEN_IT_COMPUTES) hang();
  return 0; /* and leaves its output as it was */
}

static int accept(Context *context, void *node) { return 0; }

/* Takes the last node of the graph. */
static int take(Context *context, Delegate *delegate) {
  IntArray *plan;
  if (context->get_execution_plan(context, &plan)) return 1;
  Registration kernel = {.prepare = accept, .invoke = invoke, .builtin_code = 51,
                         .custom_name = "stub", .version = 1};
  IntArray *last = malloc(sizeof(IntArray) + sizeof(int));
  last->size = 1;
  last->data[0] = plan->data[plan->size - 1];
  int status = context->replace_node_subsets(context, kernel, last, delegate);
  free(last);
  return status;
}

static int prepare(Context *context, Delegate *delegate) {
  switch (BEHAVIOUR) {
    case REFUSES_THE_MODEL:
      return 1;
    case CRASHES_WHEN_IT_COMPUTES:
    case HANGS_WHEN_IT_COMPUTES:
    case COMPUTES_NOTHING:
      return take(context, delegate);
    case PRINTS:
      fprintf(stderr, "stub: preparing\n");
  }
  return 0;
}

#ifdef WITHOUT_A_SYMBOL
extern int a_function_of_another_version(void);
#endif

Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count,
                                        void (*report)(const char *)) {
  switch (BEHAVIOUR) {
    case REFUSES:
      report("no stub today");
      return NULL;
    case REFUSES_WITHOUT_A_WORD:
      return NULL;
    case CRASHES_AT_ONCE:
      crash();
    case ABORTS:
      fprintf(stderr, "stub: terrible things\n");
      abort();
    case EXITS:
      _exit(3);
    case HANGS:
      hang();
    case PRINTS:
      fprintf(stderr, "stub: creating\n");
  }
#ifdef WITHOUT_A_SYMBOL
  a_function_of_another_version();
#endif
  Delegate *delegate = calloc(1, sizeof(Delegate));
  delegate->prepare = prepare;
  delegate->flags = 1; /* dynamic tensors: else an operator that only it knows is refused before */
  return delegate;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) {
  if (BEHAVIOUR == CRASHES_WHEN_CLOSED) crash();
  if (BEHAVIOUR == PRINTS) fprintf(stderr, "stub: closing\n");
  free(delegate);
}

/* As libedgetpu tells its version. */
const char *edgetpu_version(void) { return "BuildLabel(stub), RuntimeVersion(14)"; }
