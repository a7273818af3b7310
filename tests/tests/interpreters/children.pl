# Real work for perl: children behind pipes, a socket server in a child, signals, sorting, regular expressions, many small objects.
use strict;
use warnings;
use IO::Socket::INET;
use POSIX qw(:sys_wait_h);

$| = 1;

for my $number (1 .. 20) {
    pipe(my $reader, my $writer) or die "pipe: $!";
    my $pid = fork() // die "fork: $!";
    if ($pid == 0) {
        close $reader;
        my %words = map { ("word$_" => $_ * $number) } 1 .. 500;
        my $sum = 0;
        $sum += $words{$_} for sort keys %words;
        print {$writer} "$sum\n";
        close $writer;
        exit $number;
    }
    close $writer;
    chomp(my $line = <$reader>);
    waitpid($pid, 0);
    print "child $number: $line, ", $? >> 8, "\n";
}

my $server = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "listen: $!";
my $pid = fork() // die "fork: $!";
if ($pid == 0) {
    for (1 .. 50) {
        my $peer = $server->accept or die "accept: $!";
        my $line = <$peer>;
        print {$peer} scalar reverse($line =~ s/\n//r), "\n";
        close $peer;
    }
    exit 0;
}
my $right = 0;
for my $number (1 .. 50) {
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->sockport, Proto => 'tcp') or die "connect: $!";
    print {$socket} "request $number\n";
    chomp(my $answer = <$socket>);
    $right++ if $answer eq reverse "request $number";
}
waitpid($pid, 0);
print "answers $right, $?\n";

my $caught = 0;
local $SIG{USR1} = sub { my @garbage = map { "x" x $_ } 1 .. 100; $caught++ };
kill USR1 => $$ for 1 .. 20;
print "signals $caught\n";

my $text = join ' ', map { "key$_=value$_" } 1 .. 20000;
my %pairs = $text =~ /(\w+)=(\w+)/g;
print "pairs ", scalar(keys %pairs), "\n";
my $output = qx(echo from a shell; exit 3);
print "shell ", $? >> 8, " $output";
print "sorted ", join(',', (sort { $b <=> $a } map { $_ * 7919 % 10007 } 1 .. 10000)[0 .. 4]), "\n";
print "done\n";
exit 43;
