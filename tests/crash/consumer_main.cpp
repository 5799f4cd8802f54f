// A consumer that can be killed: one member of a group as a process of its own (consumer_process.hpp).
//
//   crash_consumer NAME_SERVERS GROUP TOPIC CLIENT_ID calm|restless|ordered
//
// It tells on standard output what it is given and what it says of it, each time before it says so to the
// broker. When its standard input ends it leaves the group; its exit status is 0 when the broker has answered
// everything on the way.
#include "client/push_consumer.hpp"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <poll.h>
#include <random>
#include <string>
#include <thread>
#include <unistd.h>

namespace holdfast::crash {
namespace {

using namespace std::chrono_literals;

constexpr int settle_every_ms = 150;

// One clock for all processes of the machine.
std::int64_t monotonic_ns() {
    return std::chrono::steady_clock::now().time_since_epoch() / 1ns;
}

std::string hex(std::string_view bytes) {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const char each : bytes) {
        const auto value = static_cast<unsigned char>(each);
        text += digits[value >> 4U];
        text += digits[value & 15U];
    }
    return text;
}

class member {
  public:
    member(client::push_consumer_options options, const std::string& mode)
        : calm_(mode != "restless"),
          ordered_(mode == "ordered"),
          consumer_(with_trouble(std::move(options))) {}

    bool start(const std::string& topic) {
        return consumer_.subscribe(topic).ok() &&
               consumer_.start([this](client::delivery got) { take(std::move(got)); }).ok();
    }

    // Acknowledges a part of what is held, and drops the rest.
    void settle_held() {
        decltype(held_) some;
        {
            const std::lock_guard lock{mutex_};
            some.swap(held_);
        }
        for (auto& each : some) {
            if (turn() % 3 == 0)
                continue;
            // Too late an acknowledgement has no effect, and the message comes again.
            if (!each.lost())
                tell('A', each, 0);
            each.ack();
        }
    }

    bool leave() {
        settle_held();
        const auto before = troubles_.load();
        consumer_.shutdown(200ms);
        return troubles_ == before;
    }

  private:
    client::push_consumer_options with_trouble(client::push_consumer_options options) {
        options.on_trouble = [this](const error&) { ++troubles_; };
        return options;
    }

    std::uint64_t turn() {
        const std::lock_guard lock{mutex_};
        return random_();
    }

    void take(client::delivery got) {
        const auto began = monotonic_ns();
        if (ordered_)
            std::this_thread::sleep_for(std::chrono::microseconds{turn() % 2'000});
        auto says = 'a';
        // A few tries at most: the sixteenth would be the last one.
        if (!calm_ && got.reconsume_times() < 3) {
            const auto one = turn() % 16;
            says = one < 2 ? 's' : one == 2 ? 'h' : 'a';
        }
        tell(says, got, began);
        if (says == 'a')
            return got.ack();
        if (says == 's')
            return got.retry_later();
        const std::lock_guard lock{mutex_};
        held_.push_back(std::move(got));
    }

    // WORD TOPIC QUEUE OFFSET BEGAN ENDED BODY
    static void tell(char says, const client::delivery& of, std::int64_t began) {
        const auto line = std::string(1, says) + " " + of.queue().topic + " " +
                          std::to_string(of.queue().queue.value()) + " " +
                          std::to_string(of.offset().value()) + " " + std::to_string(began) + " " +
                          std::to_string(monotonic_ns()) + " " + hex(of.body()) + "\n";
        // At once, and whole: a line is shorter than PIPE_BUF.
        if (::write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
            std::_Exit(3);
    }

    const bool calm_;
    const bool ordered_;
    std::atomic<std::uint64_t> troubles_{0};
    std::mutex mutex_;
    std::mt19937_64 random_{std::random_device{}()};
    std::deque<client::delivery> held_;
    client::push_consumer consumer_;
};

int run(const std::string& name_servers, const std::string& group, const std::string& topic,
        const std::string& client_id, const std::string& mode) {
    client::push_consumer_options options;
    options.client.name_servers = name_servers;
    options.client.client_id = client_id;
    options.client.reconnect_first = 20ms;
    options.client.reconnect_most = 50ms;
    options.client.request_timeout = 700ms;
    options.client.route_interval = 200ms; // a group's leader may change
    options.group = group;
    options.ordered = mode == "ordered";
    options.from = client::consume_from::first;
    options.listener_threads = 1; // so that each queue's messages come in order
    options.listener_batch_messages = 16;
    options.pull_error_delay = 30ms;
    options.rebalance_interval = 300ms;
    options.commit_interval = 50ms;
    options.retry_first = 100ms;
    options.lock_interval = 300ms;
    member one{options, mode};
    if (!one.start(topic))
        return 2;
    for (;;) {
        pollfd input{STDIN_FILENO, POLLIN, 0};
        if (::poll(&input, 1, settle_every_ms) > 0)
            return one.leave() ? 0 : 1;
        one.settle_held();
    }
}

} // namespace
} // namespace holdfast::crash

int main(int count, char** words) {
    if (count != 6) {
        std::fputs("usage: crash_consumer NAME_SERVERS GROUP TOPIC CLIENT_ID calm|restless|ordered\n",
                   stderr);
        return 2;
    }
    return holdfast::crash::run(words[1], words[2], words[3], words[4], words[5]);
}
