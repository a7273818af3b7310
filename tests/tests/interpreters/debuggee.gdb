# Stops, looks, steps, watches and calls; prints nothing that varies (no process or thread ids, no addresses).
set confirm off
set pagination off
set width 0
set debuginfod enabled off
set print inferior-events off
set print thread-events off
set print address off
set logging file /dev/null
set logging redirect on
break remember if number == 30
run
backtrace
print number
print *list
finish
watch watched
continue
delete
break in_thread
handle SIGUSR1 nostop noprint pass
# Some messages name the process or a thread by its number.
set logging enabled on
continue
set logging enabled off
frame
print $_thread
print n
print twice(n)
up
info locals
delete
set logging enabled on
continue
set logging enabled off
print $_exitcode
echo done\n
quit 46
