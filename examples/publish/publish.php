<?php
// Publishes one event with PHP's streams, no extension. Run: php publish.php [CHANNEL [JSON]]
// RELAY_API_URL is where the relay's api listens; RELAY_API_KEY is needed if it has keys.
$channel = $argv[1] ?? 'demo';
$data = json_decode($argv[2] ?? '{"hello":"from PHP"}', flags: JSON_THROW_ON_ERROR);

// The key makes a repeat safe: however often the relay gets it, the event is published once.
$headers = ['Content-Type: application/json', 'Idempotency-Key: ' . bin2hex(random_bytes(16))];
if ($key = getenv('RELAY_API_KEY')) {
    $headers[] = "Authorization: Bearer $key";
}
$context = stream_context_create(['http' => [
    'method' => 'POST',
    'header' => $headers,
    'content' => json_encode(['channel' => $channel, 'event' => 'hello', 'data' => $data], JSON_THROW_ON_ERROR),
    'timeout' => 10,
    'ignore_errors' => true, // hand over the body of a problem too
]]);

foreach ([0.5, 1, 2, 4, null] as $pause) {
    $stream = @fopen((getenv('RELAY_API_URL') ?: 'http://127.0.0.1:8081') . '/v1/events', 'r', context: $context);
    $head = $stream ? implode("\n", stream_get_meta_data($stream)['wrapper_data']) : '';
    $answer = $stream ? json_decode(stream_get_contents($stream)) : null;
    $status = (int) substr($head, 9, 3);
    if ($status === 200) {
        exit($answer->results[0]->id . "\n");
    }
    if ($pause === null || ($stream && $status !== 503)) {
        $problems = $answer ? array_column([$answer, ...$answer->errors ?? []], 'detail') : ['The relay does not answer.'];
        fwrite(STDERR, implode("\n", $problems) . "\n");
        exit(1);
    }
    usleep((int) (1e6 * (preg_match('/^Retry-After: (\d+)/mi', $head, $match) ? $match[1] : $pause)));
}
