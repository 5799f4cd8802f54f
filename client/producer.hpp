// Sends messages: one at a time, many at once, in batches, or without waiting for an answer.
//
// Every way gives the message an id that stays the same over retries, chooses a queue (round robin unless
// told otherwise), and compresses large bodies. What comes back is a send_result: see there for what a
// receipt promises. Thread-safe: one producer serves all threads of an application, over one connection per
// broker.
//
// Retries follow RocketMQ's Java producer (protocol reference 2): after a network error, a timeout or one of
// the codes 1, 14, 16, 17, 204, 205, on another queue (another broker when there is one), as long as the send
// timeout lasts. A retry may store a message twice; both copies carry the same id.
#pragma once

#include "base/result.hpp"
#include "client/client_options.hpp"
#include "client/message.hpp"
#include "client/send_result.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::client {

// What a send does while the bounds on unanswered messages are reached.
enum class when_full : std::uint8_t {
    block, // wait for room, as long as the send timeout
    fail,  // answer too_many_in_flight at once
};

struct producer_options {
    client_options client{};
    std::string group = "HOLDFAST_PRODUCER";
    // From the call to the last word, over all tries.
    std::chrono::milliseconds send_timeout{3'000};
    int retries = 2;
    // Bodies of more bytes than this are sent zlib-compressed when that makes them smaller; 0 = never.
    std::size_t compress_over_bytes = 4'096;
    int compression_level = 5;
    std::size_t max_message_bytes = std::size_t{4} << 20U;
    // Queues asked for when a topic is created by its first message.
    std::int32_t default_topic_queues = 4;
    std::size_t max_in_flight = 16'384;
    std::size_t max_in_flight_bytes = std::size_t{64} << 20U;
    when_full full = when_full::block;
};

// Chooses one of the (never empty, always equally ordered) writable queues: returns an index into them. The
// same choice for the same key keeps its messages in order. A send with a selector is not retried on another
// queue, only on the chosen one.
using queue_selector = std::function<std::size_t(std::span<const message_queue>, const message&)>;

class producer {
  public:
    explicit producer(producer_options options);
    // Shuts down.
    ~producer();
    producer(const producer&) = delete;
    producer& operator=(const producer&) = delete;

    // Checks the options and starts the io thread. Nothing is connected before the first send needs it.
    result<void> start();
    // Waits until every send in flight has its answer or its timeout, says goodbye to the brokers and ends
    // the io thread. Idempotent. Not to be called from a callback.
    void shutdown();

    // Waits for the answer. Not to be called from a callback of this producer (it would wait for itself).
    send_result send(message outgoing);
    send_result send(message outgoing, const queue_selector& select);
    // All of one topic; stored in one queue, in this order, all or none. Not compressed.
    send_result send_batch(std::span<const message> messages);

    // `done` is called exactly once, on the io thread (or on the calling one, if the message is refused
    // before it is sent): it must not block. With when_full::block the call itself may wait for room.
    void send_async(message outgoing, send_callback done);
    void send_async(message outgoing, const queue_selector& select, send_callback done);
    void send_batch_async(std::span<const message> messages, send_callback done);

    // Handed to the operating system, nothing more: no answer, no retry, no promise.
    result<void> send_oneway(message outgoing);

    // Cancels a delayed message that is not due yet, by the handle its receipt carried; returns the message's
    // id. Waits for the answer, so not to be called from a callback. An error is no word on whether it can
    // still be seen: only success is.
    result<std::string> recall(std::string_view topic, std::string_view handle);

    // The writable queues of a topic, asked from the name server when not known yet.
    result<std::vector<message_queue>> queues(std::string_view topic);

    [[nodiscard]] std::size_t in_flight() const;
    [[nodiscard]] const std::string& client_id() const;

  private:
    friend class transaction_producer; // sends through the same engine
    class engine;
    std::shared_ptr<engine> engine_;
};

} // namespace holdfast::client
