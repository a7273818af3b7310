/* Debuggee: a small program with functions to stop in, threads, allocations and a signal. In: nothing. Out: lines; exit code 5. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct item {
    int number;
    struct item *next;
};

static int watched;
static volatile sig_atomic_t caught;

static void on_signal(int number) { caught = number; }

__attribute__((noinline)) int twice(int n) { return 2 * n; }

__attribute__((noinline)) static struct item *remember(struct item *list, int number) {
    struct item *item = malloc(sizeof *item);
    if (item == NULL) exit(1);
    item->number = number;
    item->next = list;
    return item;
}

__attribute__((noinline)) static int in_thread(int n) { return n + watched; }

static void *run(void *argument) {
    char *text = strdup("thread");
    int sum = in_thread(*(int *)argument);
    free(text);
    return sum == 1010 ? NULL : argument;
}

int main(void) {
    signal(SIGUSR1, on_signal);
    struct item *list = NULL;
    for (int i = 0; i < 5; i++) list = remember(list, i * 10);
    watched = 1000;
    int ten = 10;
    pthread_t thread;
    void *result = &ten;
    if (pthread_create(&thread, NULL, run, &ten) != 0) return 1;
    pthread_join(thread, &result);
    raise(SIGUSR1);
    printf("list %d, thread %s, signal %d, twice %d\n", list->number, result == NULL ? "right" : "wrong", caught == SIGUSR1,
           twice(21));
    while (list != NULL) {
        struct item *next = list->next;
        free(list);
        list = next;
    }
    return 5;
}
