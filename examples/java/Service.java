import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;

/** Answers with its version; the header X-Instance names the instance that did. */
public class Service {
    public static void main(String[] args) throws IOException {
        String instance = System.getenv("NOMAD_ALLOC_ID");
        int port = Integer.parseInt(System.getenv("NOMAD_PORT_http"));
        byte[] answer = ("version " + args[0] + "\n").getBytes(StandardCharsets.UTF_8);
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 0);
        server.createContext("/", exchange -> {
            exchange.getResponseHeaders().set("X-Instance", instance);
            exchange.sendResponseHeaders(200, answer.length);
            exchange.getResponseBody().write(answer);
            exchange.close();
        });
        server.start();
        System.out.println("listens on " + port);
    }
}
