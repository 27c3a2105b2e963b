import java.nio.file.*;

/** Counts its starts, writes a growing number every 20 ms, and ends with exit code 7 when it is told to. */
public class Ticker {
    public static void main(String[] args) throws Exception {
        Path data = Path.of(System.getenv("NOMAD_ALLOC_DIR"), "data");
        Files.writeString(data.resolve("starts"), "start\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        for (int i = 1; ; i++) {
            System.out.println(i);
            Thread.sleep(20);
            if (Files.exists(data.resolve("go"))) {
                System.exit(7);
            }
        }
    }
}
