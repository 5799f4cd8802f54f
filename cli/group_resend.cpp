#include "cli/group_resend.hpp"

#include "cli/command_line.hpp"
#include "client/admin.hpp"
#include "client/outgoing.hpp"
#include "client/producer.hpp"
#include "client/push_consumer.hpp"
#include "protocol/names.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace holdfast::cli {

namespace {

// Between two dead letters; also how long the first one may take.
constexpr std::chrono::seconds longest_silence{30};

// Who remembers what was sent again. Not the group itself: its members would share its dead letters.
std::string remembering_group(const std::string& group) {
    return "HOLDFAST_RESEND_" + group;
}

// How many wait.
result<std::int64_t> count_waiting(client::admin& admin, const std::string& group) {
    const auto dead = protocol::dead_letter_topic_of(group);
    const auto queues = admin.status(dead);
    if (!queues && queues.failure().code == errc::not_found)
        return std::int64_t{0}; // nothing was ever given up
    if (!queues)
        return queues.failure();
    const auto known = admin.group(remembering_group(group));
    if (!known && known.failure().code != errc::not_found)
        return known.failure();
    std::int64_t waiting = 0;
    for (const auto& each : *queues) {
        auto next = each.first;
        if (known)
            for (const auto& progress : known->queues)
                if (progress.queue == each.queue)
                    next = std::max(next, progress.next);
        waiting += each.last - next;
    }
    return waiting;
}

// A message like the first time: its own properties, without what its failures have added.
result<client::message> made_anew(const client::delivery& dead, const std::string& to) {
    const auto view = dead.message();
    const bool knows_origin = view.property(protocol::property::retry_topic).has_value();
    if (to.empty() && !knows_origin)
        return error{errc::not_found, "the dead letter " + view.message_id() +
                                          " does not say which topic it was of; say --to TOPIC"};
    client::message again{to.empty() ? std::string{view.topic()} : to, std::string{dead.body()}};
    again.tag = view.tag();
    again.keys = view.keys();
    again.flag = view.flag();
    for (const auto& [name, value] : view.properties())
        if (!client::is_reserved_property(name))
            again.properties.emplace_back(name, value);
    return again;
}

// Sends again what comes, one at a time, until so many are done or one fails.
class resender {
  public:
    resender(client::producer& producer, std::string to, std::int64_t wanted)
        : producer_(producer), to_(std::move(to)), wanted_(wanted) {}

    void take(client::delivery dead) {
        const std::lock_guard lock{mutex_};
        if (is_over())
            return; // stays where it is
        const auto before = dead.message().message_id();
        auto again = made_anew(dead, to_);
        if (!again) {
            failure_ = again.failure();
        } else {
            const auto topic = again->topic;
            const auto sent = producer_.send(std::move(*again));
            if (sent) {
                fmt::print("{} is sent again to {} as {}\n", before, topic, sent.receipt().message_id);
                dead.ack();
                ++done_;
            } else {
                failure_ =
                    error{errc::unavailable,
                          "the dead letter " + before + " could not be sent: " + sent.failure().message +
                              (sent.failure().may_be_stored() ? " (it may be stored all the same)" : "")};
            }
        }
        changed_.notify_all();
    }
    // How many were sent, when no more will be.
    result<std::int64_t> wait() {
        std::unique_lock lock{mutex_};
        while (!is_over()) {
            const auto before = done_;
            if (!changed_.wait_for(lock, longest_silence, [&] { return is_over() || done_ != before; }))
                return error{errc::unavailable,
                             fmt::format("{} of {} dead letters were sent again; the others did not come "
                                         "within {} s",
                                         done_, wanted_, longest_silence.count())};
        }
        if (failure_)
            return *failure_;
        return done_;
    }

  private:
    [[nodiscard]] bool is_over() const { return failure_ || done_ == wanted_; }

    client::producer& producer_;
    const std::string to_;
    const std::int64_t wanted_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::int64_t done_ = 0;
    std::optional<error> failure_;
};

} // namespace

int resend_dead_letters(const client::client_options& options, const std::string& group,
                        const std::string& to) {
    client::admin admin{options};
    if (const auto started = admin.start(); !started)
        return failed(started.failure());
    const auto waiting = count_waiting(admin, group);
    if (!waiting)
        return failed(waiting.failure());
    if (*waiting == 0) {
        fmt::print("no dead letters of {} wait\n", group);
        return exit_done;
    }
    client::producer producer{{.client = options, .group = "HOLDFAST_SEND"}};
    if (const auto started = producer.start(); !started)
        return failed(started.failure());
    resender work{producer, to, *waiting};
    client::push_consumer_options reading;
    reading.client = options;
    reading.group = remembering_group(group);
    reading.from = client::consume_from::first;
    // What can't be sent stays where it is, and a second `resend` at the same time waits for this one.
    reading.ordered = true;
    reading.listener_threads = 1;
    client::push_consumer consumer{reading};
    if (const auto subscribed = consumer.subscribe(protocol::dead_letter_topic_of(group)); !subscribed)
        return failed(subscribed.failure());
    if (const auto started = consumer.start([&](client::delivery dead) { work.take(std::move(dead)); });
        !started)
        return failed(started.failure());
    const auto done = work.wait();
    const auto noted = consumer.commit();
    consumer.shutdown();
    if (!done)
        return failed(done.failure());
    if (!noted)
        return failed({errc::unavailable, "all were sent again, but the broker could not note it, and will "
                                          "give them once more: " +
                                              noted.failure().message});
    fmt::print("{} dead letter{} of {} sent again\n", *done, *done == 1 ? "" : "s", group);
    return exit_done;
}

} // namespace holdfast::cli
