#include "tests/crash/load.hpp"

#include "client/producer.hpp"

#include <memory>
#include <random>

namespace holdfast::crash {
namespace {

constexpr std::chrono::milliseconds pause{5};

client::producer_options options_of(const load_options& load) {
    client::producer_options options;
    options.client.name_servers = load.name_servers;
    options.client.reconnect_first = options.client.reconnect_most = std::chrono::milliseconds{20};
    options.group = "crash-producers";
    options.retries = 0; // nothing is sent twice
    options.send_timeout = std::chrono::milliseconds{4'000};
    options.compress_over_bytes = 0;
    options.max_in_flight = load.in_flight;
    return options;
}

} // namespace

std::string make_topics(const server_address& broker, ledger& book) {
    wire_client client{broker};
    for (const auto& topic : book.topics()) {
        const auto made = client.ask(protocol::update_topic_request{
            .topic = topic, .read_queue_count = book.queues(), .write_queue_count = book.queues()});
        if (!made || !made->ok())
            return "the topic " + topic + " could not be made: " +
                   (made ? std::string{made->command.remark()} : std::string{"no answer"});
        book.topic_made(topic);
    }
    return {};
}

load::load(ledger& book, load_options options) : book_(book), options_(std::move(options)) {
    std::mt19937_64 seeds{options_.seed};
    for (std::uint32_t i = 0; i < options_.producers; ++i)
        threads_.emplace_back([this, seed = seeds()] { produce(seed); });
    threads_.emplace_back([this, seed = seeds()] { consume(seed); });
}

void load::stop() {
    stopping_ = true;
    for (auto& thread : threads_)
        thread.join();
    threads_.clear();
}

void load::note(const std::string& topic, std::span<const message_name> names,
                const client::send_result& answer) {
    book_.answered(topic, names, answer);
    if (answer.ok()) {
        ++ok_;
        return;
    }
    const std::lock_guard lock{mutex_};
    ++refusals_[answer.failure().response_code];
    remarks_[answer.failure().response_code] = answer.failure().message;
}

void load::produce(std::uint64_t seed) {
    std::mt19937_64 random{seed};
    client::producer sender{options_of(options_)};
    if (!sender.start().ok())
        return;
    // Sends made before their topic's route is known may be overtaken by later ones, in the client.
    for (const auto& topic : book_.topics())
        if (!sender.queues(topic).ok())
            return;
    const auto me = book_.new_producer();
    while (!stopping_) {
        const auto& topic = book_.topics()[random() % book_.topics().size()];
        const std::size_t count = random() % 8 == 0 ? 2 + random() % 9 : 1;
        auto names = std::make_shared<std::vector<message_name>>();
        std::vector<client::message> messages;
        for (std::size_t i = 0; i < count; ++i) {
            names->push_back(book_.new_message(me));
            const auto most = random() % 50 == 0 ? 20 * options_.largest_body : options_.largest_body;
            messages.push_back({.topic = topic,
                                .body = make_body(names->back(), random() % most / count),
                                .tag = i % 2 == 0 ? "even" : "odd",
                                .keys = "k" + std::to_string(names->back().number)});
        }
        auto done = [this, topic, names](const client::send_result& answer) { note(topic, *names, answer); };
        if (count > 1)
            sender.send_batch_async(messages, std::move(done));
        else
            sender.send_async(
                std::move(messages.front()),
                [place = random()](auto queues, const auto&) { return place % queues.size(); },
                std::move(done));
        if (random() % 400 == 0)
            std::this_thread::sleep_for(pause);
    }
    sender.shutdown();
}

void load::consume(std::uint64_t seed) {
    std::mt19937_64 random{seed};
    wire_client client{options_.broker_port, std::chrono::milliseconds{1'000}};
    for (std::uint64_t turn = 0; !stopping_; ++turn) {
        const queue_place queue{
            book_.topics()[random() % book_.topics().size()],
            static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(book_.queues()))};
        const auto done = consume_some(client, book_, queue);
        if (done == consumed::broker_is_gone)
            return;
        if (done == consumed::refused)
            std::this_thread::sleep_for(pause);
        if (random() % 40 != 0)
            continue;
        const auto topic = "made-" + std::to_string(seed) + "-" + std::to_string(turn);
        const auto made = client.ask(
            protocol::update_topic_request{.topic = topic, .read_queue_count = 1, .write_queue_count = 1});
        if (made && made->ok())
            book_.topic_made(topic);
    }
}

consumed consume_some(wire_client& client, ledger& book, const queue_place& queue) {
    const queue_number number{static_cast<std::uint32_t>(queue.queue)};
    const auto from = book.committed(queue);
    const auto got = client.ask(protocol::pull_message_request{.consumer_group = ledger::group,
                                                               .topic = queue.topic,
                                                               .queue = number,
                                                               .offset = queue_offset{from},
                                                               .max_messages = 64,
                                                               .sys_flag = protocol::pull_flag::subscription,
                                                               .subscription = "*"});
    if (!got)
        return consumed::broker_is_gone;
    if (!got->ok())
        return consumed::refused;
    auto next = from;
    protocol::stored_message_reader records{got->command.body()};
    while (const auto record = records.next()) {
        if (!record->ok())
            break;
        book.consumed(queue, **record);
        next = (*record)->offset.value() + 1;
    }
    book.commit_tried(queue, next);
    const auto committed =
        client.ask(protocol::update_consumer_offset_request{.consumer_group = ledger::group,
                                                            .topic = queue.topic,
                                                            .queue = number,
                                                            .commit_offset = queue_offset{next}});
    if (!committed)
        return consumed::broker_is_gone;
    if (!committed->ok())
        return consumed::refused;
    book.commit_answered(queue, next);
    return consumed::committed;
}

bool load::wait_for_sends(std::uint64_t answered_ok, std::chrono::milliseconds patience) const {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (ok_ < answered_ok) {
        if (std::chrono::steady_clock::now() > until)
            return false;
        std::this_thread::sleep_for(pause);
    }
    return true;
}

bool load::wait_for_silence(std::chrono::milliseconds silence, std::chrono::milliseconds patience) const {
    const auto until = std::chrono::steady_clock::now() + patience;
    for (auto heard = ok_.load(); std::chrono::steady_clock::now() < until; heard = ok_) {
        std::this_thread::sleep_for(silence);
        if (ok_ == heard)
            return true;
    }
    return false;
}

std::map<int, std::uint64_t> load::refusals() {
    const std::lock_guard lock{mutex_};
    return refusals_;
}

std::string load::last_remark(int code) {
    const std::lock_guard lock{mutex_};
    return remarks_[code];
}

} // namespace holdfast::crash
