// Real work for a Java virtual machine: a pool of threads, parallel streams, sockets, direct memory, a collection and children.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;

public class Workers {
    static final int THREADS = 8;
    static final int TASKS = 200;

    public static void main(String[] arguments) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(THREADS);
        Map<Integer, Integer> remainders = new ConcurrentHashMap<>();
        List<Future<Integer>> answers = new ArrayList<>();
        for (int task = 0; task < TASKS; task++) {
            int number = task;
            answers.add(pool.submit(() -> {
                StringBuilder text = new StringBuilder();
                for (int i = 0; i < 2000; i++) {
                    text.append(i * number % 97).append(',');
                    remainders.merge(i * number % 97, 1, Integer::sum);
                }
                return text.length();
            }));
        }
        long length = 0;
        for (Future<Integer> answer : answers) {
            length += answer.get();
        }
        System.out.println("length " + length + ", remainders " + remainders.values().stream().mapToInt(n -> n).sum());
        System.out.println("parallel " + IntStream.range(0, 1_000_000).parallel().filter(n -> n % 7 == 3).count());

        int echoed = 0;
        try (ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
            Future<?> serving = pool.submit(() -> {
                for (int i = 0; i < 50; i++) {
                    try (Socket peer = server.accept();
                            BufferedReader in = new BufferedReader(new InputStreamReader(peer.getInputStream()));
                            PrintWriter out = new PrintWriter(peer.getOutputStream(), true)) {
                        out.println(in.readLine());
                    }
                }
                return null;
            });
            for (int i = 0; i < 50; i++) {
                try (Socket socket = new Socket(server.getInetAddress(), server.getLocalPort());
                        PrintWriter out = new PrintWriter(socket.getOutputStream(), true);
                        BufferedReader in = new BufferedReader(new InputStreamReader(socket.getInputStream()))) {
                    out.println("line " + i);
                    echoed += in.readLine().equals("line " + i) ? 1 : 0;
                }
            }
            serving.get();
        }
        System.out.println("echoed " + echoed);

        long direct = 0;
        for (int i = 0; i < 200; i++) {
            direct += ByteBuffer.allocateDirect(64 * 1024).putInt(0, i).getInt(0);
        }
        System.gc();
        System.out.println("direct " + direct);

        Path file = Files.createTempFile("memguard-java-", "");
        Files.writeString(file, "x".repeat(100_000));
        System.out.println("file " + Files.readString(file).length());
        Files.delete(file);

        Process child = new ProcessBuilder("/bin/sh", "-c", "read line; echo \"child says $line\"; exit 9").start();
        try (PrintWriter out = new PrintWriter(child.getOutputStream(), true);
                BufferedReader in = new BufferedReader(new InputStreamReader(child.getInputStream()))) {
            out.println("hello");
            System.out.println(in.readLine() + ", " + child.waitFor());
        }

        try {
            System.out.println(deep(0));
        } catch (StackOverflowError error) {
            System.out.println("the stack has an end");
        }
        String none = arguments.length > 99 ? "" : null;
        try {
            System.out.println(none.length());
        } catch (NullPointerException error) {
            System.out.println("null is null");
        }
        pool.shutdown();
        System.out.println("done");
        System.exit(42);
    }

    static int deep(int depth) {
        return deep(depth + 1) + 1;
    }
}
