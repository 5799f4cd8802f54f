#include "tests/crash/ordered_load.hpp"

#include <algorithm>
#include <random>

namespace holdfast::crash {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t sender = 8; // of all bodies
constexpr std::size_t body_bytes = 40;
constexpr auto pace = 5ms;

client::producer_options sending_to(const std::string& name_servers) {
    client::producer_options options;
    options.client.name_servers = name_servers;
    options.client.reconnect_first = 20ms;
    options.client.reconnect_most = 50ms;
    options.client.request_timeout = 700ms;
    options.client.route_interval = 200ms;
    options.group = "ordered-producer";
    options.retries = 0; // nothing is sent twice
    options.send_timeout = 2s;
    return options;
}

} // namespace

ordered_load::ordered_load(std::string name_servers, std::uint64_t seed)
    : name_servers_(std::move(name_servers)),
      sender_([this, seed] { send(seed); }),
      keeper_([this, seed] { keep_pair(seed + 1); }) {}

void ordered_load::stop() {
    stopping_ = true;
    for (auto* each : {&sender_, &keeper_})
        if (each->joinable())
            each->join();
}

// One after the other, so that an answered message is in the log before the next one is sent.
void ordered_load::send(std::uint64_t seed) {
    std::mt19937_64 random{seed};
    client::producer producer{sending_to(name_servers_)};
    if (!producer.start().ok())
        return;
    while (!stopping_ && !producer.queues(topic).ok())
        std::this_thread::sleep_for(pace);
    for (std::uint32_t number = 0; !stopping_; ++number) {
        const auto sent =
            producer.send({.topic = topic, .body = make_body({sender, number}, body_bytes)},
                          [place = random()](auto all, const auto&) { return place % all.size(); });
        if (sent.ok()) {
            const std::lock_guard lock{mutex_};
            answered_.insert(number);
        }
        std::this_thread::sleep_for(pace);
    }
    producer.shutdown();
}

void ordered_load::keep_pair(std::uint64_t seed) {
    std::mt19937_64 random{seed};
    start(0);
    start(1);
    while (!stopping_) {
        std::this_thread::sleep_for(std::chrono::milliseconds{200 + random() % 600});
        const auto member = random() % members_.size();
        if (random() % 3 == 0) {
            (void)members_[member]->leave();
            // The other one takes its queue meanwhile.
            std::this_thread::sleep_for(std::chrono::milliseconds{random() % 400});
        } else {
            members_[member]->kill();
            ++kills_;
        }
        start(member);
    }
    for (auto& each : members_) // they would die with this thread anyhow
        each.reset();
}

void ordered_load::start(std::size_t member) {
    members_[member].reset();
    members_[member] = std::make_unique<consumer_process>(
        name_servers_, "ordered-group", topic, "ordered-" + std::to_string(member), member_mode::ordered,
        [this, process = ++processes_](const told_delivery& one) { told(process, one); });
}

void ordered_load::told(std::uint64_t process, const told_delivery& one) {
    const std::lock_guard lock{mutex_};
    ++deliveries_;
    order_.note(process, one);
    const auto name = one.body.size() < sizeof(std::uint64_t)
                          ? 0
                          : load_big<std::uint64_t>(reinterpret_cast<const std::byte*>(one.body.data()));
    const auto number = static_cast<std::uint32_t>(name);
    const auto [known, is_new] = came_[one.from].emplace(one.offset, number);
    if (name >> 32U != sender || one.body != make_body({sender, number}, body_bytes))
        problem_ = "a message that nobody sent";
    else if (!is_new && known->second != number)
        problem_ = "offset " + std::to_string(one.offset) + " was message " + std::to_string(known->second) +
                   " and is message " + std::to_string(number);
    numbers_that_came_.insert(number);
}

bool ordered_load::all_came() {
    const std::lock_guard lock{mutex_};
    return !problem_.empty() || std::includes(numbers_that_came_.begin(), numbers_that_came_.end(),
                                              answered_.begin(), answered_.end());
}

// An unanswered message may come late, an answered one is in front of all that were sent after its answer.
std::string ordered_load::order_of_sending() {
    for (const auto& [queue, messages] : came_) {
        std::uint32_t most = 0;
        for (const auto& [offset, number] : messages) {
            if (answered_.contains(number) && number < most)
                return queue.topic + ":" + std::to_string(queue.queue) + ": message " +
                       std::to_string(number) + " was answered before message " + std::to_string(most) +
                       " was sent, and stands behind it";
            most = std::max(most, number);
        }
    }
    return {};
}

std::string ordered_load::finish(std::chrono::milliseconds patience) {
    stop();
    start(0);
    start(1);
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!all_came() && std::chrono::steady_clock::now() < deadline)
        std::this_thread::sleep_for(20ms);
    for (auto& each : members_)
        (void)each->leave();
    const std::lock_guard lock{mutex_};
    for (const auto number : answered_)
        if (problem_.empty() && !numbers_that_came_.contains(number))
            problem_ = "message " + std::to_string(number) + " never came";
    if (problem_.empty())
        problem_ = order_.problem(true);
    if (problem_.empty())
        problem_ = order_of_sending();
    return problem_.empty() ? problem_ : "in order: " + problem_;
}

std::string ordered_load::text() {
    const std::lock_guard lock{mutex_};
    return "in order: " + std::to_string(answered_.size()) + " sends answered OK, " +
           std::to_string(deliveries_) + " deliveries, members killed " + std::to_string(kills_.load()) +
           " times";
}

} // namespace holdfast::crash
