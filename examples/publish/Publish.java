// Publishes one event with the JDK alone (17 or later). Run: java Publish.java [CHANNEL [JSON]]
// RELAY_API_URL is where the relay's api listens; RELAY_API_KEY is needed if it has keys.
import java.io.IOException;
import java.net.URI;
import java.net.http.*;
import java.time.Duration;
import java.util.*;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

public class Publish {
    public static void main(String[] args) throws InterruptedException {
        var channel = (args.length > 0 ? args[0] : "demo").replaceAll("[\\\\\"]", "\\\\$0");
        var data = args.length > 1 ? args[1] : "{\"hello\":\"from Java\"}";
        var api = System.getenv().getOrDefault("RELAY_API_URL", "http://127.0.0.1:8081");
        // The key makes a repeat safe: however often the relay gets it, the event is published once.
        var request = HttpRequest.newBuilder(URI.create(api + "/v1/events")).timeout(Duration.ofSeconds(10))
            .header("Content-Type", "application/json").header("Idempotency-Key", UUID.randomUUID().toString())
            .POST(HttpRequest.BodyPublishers.ofString(
                "{\"channel\":\"" + channel + "\",\"event\":\"hello\",\"data\":" + data + "}"));
        Optional.ofNullable(System.getenv("RELAY_API_KEY")).ifPresent(key -> request.header("Authorization", "Bearer " + key));
        var client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

        var failure = "";
        for (var pause = 500L; pause <= 8000; pause *= 2) {
            var wait = pause;
            try {
                var response = client.send(request.build(), HttpResponse.BodyHandlers.ofString());
                if (response.statusCode() == 200) {
                    System.out.println(members("id", response.body()));
                    return;
                }
                failure = members("detail", response.body());
                if (response.statusCode() != 503) break;
                wait = response.headers().firstValueAsLong("Retry-After").orElse(0) * 1000;
            } catch (IOException e) {
                failure = "The relay does not answer: " + e;
            }
            if (pause < 8000) Thread.sleep(Math.max(wait, pause));
        }
        System.err.println(failure);
        System.exit(1);
    }

    // The JDK reads no JSON; an application would use its own library here.
    static String members(String name, String json) {
        return Pattern.compile("\"" + name + "\":\\s*\"((?:[^\"\\\\]|\\\\.)*)\"").matcher(json).results()
            .map(match -> match.group(1)).collect(Collectors.joining("\n"));
    }
}
