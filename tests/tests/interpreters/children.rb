# Real work for ruby: threads, children behind pipes, a socket server, a fiber, collections of garbage, spawned commands.
require 'json'
require 'socket'

$stdout.sync = true

children = (1..10).map do |number|
  reader, writer = IO.pipe
  pid = fork do
    reader.close
    writer.write(JSON.generate((1..500).map { |n| { 'n' => n * number } }))
    writer.close
    exit!(number)
  end
  writer.close
  [pid, reader]
end
children.each do |pid, reader|
  sum = JSON.parse(reader.read).sum { |item| item['n'] }
  reader.close
  puts "child #{sum}, #{Process.wait2(pid)[1].exitstatus}"
end

server = TCPServer.new('127.0.0.1', 0)
serving = Thread.new do
  50.times do
    peer = server.accept
    peer.puts(peer.gets.chomp.reverse)
    peer.close
  end
end
right = (1..50).count do |number|
  TCPSocket.open('127.0.0.1', server.addr[1]) do |socket|
    socket.puts("request #{number}")
    socket.gets.chomp == "request #{number}".reverse
  end
end
serving.join
server.close
puts "answers #{right}"

sums = Array.new(8) { |index| Thread.new { (1..20_000).map { |n| (n * (index + 1)).to_s }.sum(&:size) } }.map(&:value)
puts "threads #{sums.inspect}"

numbers = Fiber.new { 1000.times { |n| Fiber.yield(n.to_s * 10) } }
puts "fiber #{Array.new(1000) { numbers.resume.size }.sum}"

caught = 0
trap('USR1') { caught += 1 }
Process.kill('USR1', Process.pid)
Thread.pass until caught == 1
puts 'signal'

10.times { Array.new(10_000) { |n| "garbage #{n}" }; GC.start }
output = `echo from a shell; exit 3`
puts "shell #{$?.exitstatus} #{output}"
spawned = spawn('exit 5')
puts "spawned #{Process.wait2(spawned)[1].exitstatus}"
puts 'done'
exit 44
