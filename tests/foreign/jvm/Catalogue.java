import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;

/** A product catalogue that keeps the last rendering of each page: the heap grows with use. */
public class Catalogue {
    private static final int PAGES = Integer.getInteger("pages", 8_000);
    private static final int SIZE = Integer.getInteger("size", 8_000);
    private static final Map<Integer, byte[]> CACHE = new ConcurrentHashMap<>();

    public static void main(String[] arguments) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(8080), 64);
        server.setExecutor(Executors.newFixedThreadPool(16));
        server.createContext("/health", exchange -> answer(exchange, "ok\n".getBytes()));
        server.createContext("/items/", Catalogue::item);
        server.start();
    }

    private static void item(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getPath();
        int number = Integer.parseInt(path.substring("/items/".length())) % PAGES;
        byte[] page = render(number);
        CACHE.put(number, page);
        answer(exchange, page);
    }

    private static byte[] render(int number) {
        StringBuilder page = new StringBuilder("{\"item\": " + number + ", \"reviews\": [");
        for (int review = 0; page.length() < SIZE; review++) {
            page.append(String.format("{\"stars\": %d, \"text\": \"review %d\"}, ", review % 5, review));
        }
        return page.append("{}]}\n").toString().getBytes(StandardCharsets.UTF_8);
    }

    private static void answer(HttpExchange exchange, byte[] body) throws IOException {
        exchange.sendResponseHeaders(200, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }
}
