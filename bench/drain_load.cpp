#include "bench/drain_load.hpp"

#include "bench/raw_socket.hpp"
#include "bench/send_frames.hpp"
#include "client/push_consumer.hpp"
#include "protocol/properties.hpp"
#include "protocol/requests.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <mutex>
#include <thread>

namespace holdfast::bench {
namespace {

constexpr std::uint64_t quiet_ns = 2'000'000'000;

double seconds_of(std::uint64_t nanoseconds) {
    return static_cast<double>(nanoseconds) / 1e9;
}

std::string fresh_group() {
    return fmt::format("load_{}_{}", ::getpid(), now_ns() % 1'000'000);
}

// Counts what came and when; for any number of threads.
class tally {
  public:
    void add(std::uint64_t count) {
        const auto now = now_ns();
        std::uint64_t none = 0;
        first_ns_.compare_exchange_strong(none, now);
        last_ns_.store(now, std::memory_order_relaxed);
        messages_.fetch_add(count, std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t messages() const { return messages_; }
    [[nodiscard]] bool is_over(std::uint64_t wanted) const {
        if (wanted != 0 && messages_ >= wanted)
            return true;
        const auto last = last_ns_.load();
        return now_ns() - std::max(last, begun_ns_) > (last == 0 ? 5 : 1) * quiet_ns;
    }
    [[nodiscard]] drain_figures figures() const {
        if (messages_ == 0)
            give_up("no message came: is there a backlog in the topic?");
        drain_figures all;
        all.messages = messages_;
        all.seconds = seconds_of(last_ns_ - first_ns_);
        all.first_seconds = seconds_of(first_ns_ - begun_ns_);
        return all;
    }

  private:
    const std::uint64_t begun_ns_ = now_ns();
    std::atomic<std::uint64_t> messages_{0};
    std::atomic<std::uint64_t> first_ns_{0};
    std::atomic<std::uint64_t> last_ns_{0};
};

// What a listener does with its deliveries; for any number of threads.
class listener {
  public:
    listener(std::uint64_t send_back_every, bool measures_lateness)
        : send_back_every_(send_back_every), measures_lateness_(measures_lateness) {}

    void take(std::span<client::delivery> deliveries) {
        const auto now = wall_ms();
        for (auto& each : deliveries) {
            if (measures_lateness_)
                note_lateness(each, now);
            if (send_back_every_ != 0 && each.reconsume_times() == 0 &&
                ++first_times_ % send_back_every_ == 0) {
                ++sent_back_;
                each.retry_later();
            } else {
                each.ack();
            }
        }
        seen_.add(deliveries.size());
    }
    [[nodiscard]] bool is_over(std::uint64_t wanted) const { return seen_.is_over(wanted); }
    [[nodiscard]] drain_figures figures() const {
        auto all = seen_.figures();
        all.sent_back = sent_back_;
        all.lateness = lateness_;
        return all;
    }

  private:
    void note_lateness(const client::delivery& one, std::uint64_t now) {
        const auto text = one.message().property(protocol::property::timer_deliver_ms);
        std::uint64_t due_ms = 0;
        if (!text || std::from_chars(text->data(), text->data() + text->size(), due_ms).ec != std::errc{})
            return;
        const std::lock_guard lock{mutex_};
        lateness_.record((now - std::min(now, due_ms)) * 1'000'000);
    }

    tally seen_;
    const std::uint64_t send_back_every_;
    const bool measures_lateness_; // which costs a look at every property
    std::atomic<std::uint64_t> first_times_{0};
    std::atomic<std::uint64_t> sent_back_{0};
    std::mutex mutex_; // of lateness_
    latency_histogram lateness_;
};

} // namespace

drain_figures run_push(const load_options& options) {
    client::push_consumer_options settings;
    settings.client.name_servers = fmt::format("{}:{}", options.host, options.namesrv_port);
    settings.client.headers = options.headers == protocol::serialize_type::json
                                  ? client::header_format::json
                                  : client::header_format::binary;
    settings.group = fresh_group();
    settings.from = client::consume_from::first;
    settings.listener_threads = options.listener_threads;
    settings.on_trouble = [](const error& what) { fmt::print(stderr, "{}\n", what.message); };
    listener listening{options.send_back_every, options.delay_ms != 0};
    client::push_consumer consumer{settings};
    for (std::uint32_t topic = 0; topic < options.topics; ++topic)
        if (const auto subscribed = consumer.subscribe(topic_name(options, topic)); !subscribed)
            give_up(subscribed.failure().message);
    const auto started =
        consumer.start_batches([&](std::span<client::delivery> deliveries) { listening.take(deliveries); });
    if (!started)
        give_up(started.failure().message);
    while (!listening.is_over(options.count))
        std::this_thread::sleep_for(std::chrono::milliseconds{2});
    consumer.shutdown();
    return listening.figures();
}

drain_figures run_pulls(const load_options& options) {
    raw_socket socket{options.host, options.broker_port};
    const auto group = fresh_group();
    byte_buffer requests;
    std::vector<queue_offset> next(std::size_t{options.topics} * options.queues);
    // The number of the request says which queue it is for.
    const auto ask = [&](std::size_t place) {
        const auto topic = topic_name(options, static_cast<std::uint32_t>(place / options.queues));
        protocol::append_request(
            requests, {.opaque = static_cast<std::int32_t>(place + 1), .serialize = options.headers},
            protocol::pull_message_request{
                .consumer_group = group,
                .topic = topic,
                .queue = queue_number{static_cast<std::uint32_t>(place % options.queues)},
                .offset = next[place],
                .max_messages = 1'024,
                .sys_flag = protocol::pull_flag::subscription,
                .subscription = "*"});
    };
    for (std::size_t place = 0; place < next.size(); ++place)
        ask(place);
    tally seen;
    protocol::remoting_command answer;
    auto waiting = next.size();
    while (waiting != 0 && !seen.is_over(options.count)) {
        if (!requests.empty())
            socket.write_all(requests.view());
        requests.clear();
        if (const auto decoded = answer.decode(socket.read_frame()); !decoded)
            give_up(decoded.failure().message);
        const auto place = static_cast<std::size_t>(answer.opaque()) - 1;
        const auto code = answer.response();
        if (code == protocol::response_code::pull_not_found) {
            --waiting;
            continue;
        }
        if (code != protocol::response_code::success &&
            code != protocol::response_code::pull_retry_immediately &&
            code != protocol::response_code::pull_offset_moved)
            give_up(fmt::format("a pull was answered with code {}: {}", answer.code(), answer.remark()));
        const auto found = protocol::decode_header<protocol::pull_message_response>(answer);
        if (!found)
            give_up(found.failure().message);
        if (code == protocol::response_code::success)
            seen.add(static_cast<std::uint64_t>((found->next_begin_offset - next[place])));
        next[place] = found->next_begin_offset;
        ask(place);
    }
    return seen.figures();
}

} // namespace holdfast::bench
