#include "tests/crash/delivery_load.hpp"

#include "base/check.hpp"

namespace holdfast::crash {
namespace {

using namespace std::chrono_literals;

constexpr auto pace = 3ms;

client::producer_options sending(const client::client_options& to, const std::string& group) {
    client::producer_options options;
    options.client = to;
    options.group = group;
    options.retries = 0; // nothing is sent twice
    options.send_timeout = 2s;
    options.max_in_flight = 200;
    return options;
}

queue_place place_of(const client::delivery& one) {
    return {one.queue().topic, static_cast<std::int32_t>(one.queue().queue.value())};
}

} // namespace

delivery_load::delivery_load(delivery_ledger& book, std::uint64_t seed, std::uint16_t broker_port,
                             std::string name_servers)
    : book_(book),
      broker_port_(broker_port),
      name_servers_(std::move(name_servers)),
      plain_(sending(to_broker(), "deliveries-plain")),
      transactions_({.sending = sending(to_broker(), "deliveries-transactions")},
                    [this](const client::message_view& half) { return book_.check(half.stored_body()); }) {
    HOLDFAST_CHECK(plain_.start().ok() && transactions_.start().ok());
    threads_.emplace_back([this, seed] { send(seed); });
    threads_.emplace_back([this, seed] { recall(seed + 1); });
    threads_.emplace_back([this, seed] { keep_group(seed + 2); });
}

delivery_load::~delivery_load() {
    calm_down();
    members_.clear();
    settle_held();
    transactions_.shutdown();
}

client::client_options delivery_load::to_broker() const {
    client::client_options options;
    options.name_servers = name_servers_;
    options.reconnect_first = 20ms;
    options.reconnect_most = 50ms;
    options.request_timeout = 700ms;
    options.route_interval = 200ms; // a group's leader may change
    return options;
}

void delivery_load::calm_down() {
    stopping_ = true;
    for (auto& thread : threads_)
        thread.join();
    threads_.clear();
    plain_.shutdown();
    decide_held(true);
    calm_ = true;
}

void delivery_load::send(std::uint64_t seed) {
    std::mt19937_64 random{seed};
    while (!stopping_) {
        for (auto count = 1 + random() % 4; count > 0; --count) {
            const auto sort = random() % 4;
            if (sort == 0) {
                send_transaction(random);
                continue;
            }
            client::message outgoing{.topic = book_.topic(), .body = {}};
            std::uint32_t number = 0;
            if (sort == 1 && random() % 8 == 0) {
                outgoing.delay_level = 1;
                number = book_.new_delayed(1'000);
            } else if (sort == 1) {
                outgoing.deliver_after_ms = 50 + static_cast<std::int64_t>(random() % 450);
                number = book_.new_delayed(outgoing.deliver_after_ms);
            } else {
                number = book_.new_plain();
            }
            outgoing.body = delivery_ledger::body_of(number);
            plain_.send_async(std::move(outgoing), [this, number](const client::send_result& answer) {
                if (answer.ok())
                    book_.answered(number);
            });
        }
        if (random() % 16 == 0)
            decide_held(false);
        std::this_thread::sleep_for(pace);
    }
}

void delivery_load::send_transaction(std::mt19937_64& random) {
    const auto number = book_.new_transaction(random() % 2 == 0);
    const auto turn = random() % 10;
    transactions_.send_half_async({.topic = book_.topic(), .body = delivery_ledger::body_of(number)},
                                  [this, number, turn](client::half_result sent) {
                                      if (!sent.ok())
                                          return;
                                      book_.answered(number);
                                      hold_or_decide(number, turn, std::move(sent.half()));
                                  });
}

// Confirmed, without an answer, as unknown, never, or later.
void delivery_load::hold_or_decide(std::uint32_t number, std::uint64_t turn, client::half_message half) {
    if (turn < 4) {
        half.decide(book_.decision(number), [this, number](const result<void>& told) {
            if (told.ok())
                book_.decided(number);
        });
    } else if (turn < 6) {
        half.decide(book_.decision(number));
    } else if (turn < 7) {
        half.decide(client::transaction_decision::unknown);
    } else if (turn < 9) {
        const std::lock_guard lock{held_mutex_};
        held_halves_.emplace_back(number, std::move(half));
    }
}

// Decides the older half of them, or all; the checker may have been faster.
void delivery_load::decide_held(bool all) {
    decltype(held_halves_) some;
    {
        const std::lock_guard lock{held_mutex_};
        for (auto count = all ? held_halves_.size() : held_halves_.size() / 2; count > 0; --count) {
            some.push_back(std::move(held_halves_.front()));
            held_halves_.pop_front();
        }
    }
    for (auto& [number, half] : some)
        hold_or_decide(number, 0, std::move(half));
}

void delivery_load::recall(std::uint64_t seed) {
    std::mt19937_64 random{seed};
    while (!stopping_) {
        std::this_thread::sleep_for(std::chrono::milliseconds{5 + random() % 30});
        const auto delay_ms = 30 + static_cast<std::int64_t>(random() % 500);
        const auto number = book_.new_delayed(delay_ms);
        const auto sent = plain_.send(
            {.topic = book_.topic(), .body = delivery_ledger::body_of(number), .deliver_after_ms = delay_ms});
        if (!sent.ok())
            continue;
        book_.recall_tried(number);
        book_.answered(number);
        std::this_thread::sleep_for(std::chrono::milliseconds{random() % 100});
        if (plain_.recall(book_.topic(), sent.receipt().recall_handle).ok())
            book_.recalled(number);
    }
}

void delivery_load::keep_group(std::uint64_t seed) {
    std::mt19937_64 random{seed};
    join_group();
    while (!stopping_) {
        std::this_thread::sleep_for(std::chrono::milliseconds{50 + random() % 400});
        settle_held();
        switch (random() % 4) {
        case 0:
            confirm();
            break;
        case 1: // the one that was there is destroyed while the other takes over
            join_group();
            break;
        default:
            members_.clear();
        }
        if (members_.empty()) {
            book_.group_is_empty();
            join_group();
        }
        if (members_.size() > 2)
            members_.pop_front();
    }
    members_.clear();
    book_.group_is_empty();
    settle_held();
    calm_ = true;
    join_group();
}

void delivery_load::join_group() {
    client::push_consumer_options options;
    options.client = to_broker();
    options.group = delivery_ledger::group;
    options.from = client::consume_from::first;
    options.listener_threads = 2;
    options.listener_batch_messages = 16;
    options.pull_error_delay = 30ms;
    options.rebalance_interval = 300ms;
    options.commit_interval = 50ms;
    options.retry_first = 100ms;
    options.on_trouble = [this](const error&) { ++consumer_troubles_; };
    auto member = std::make_unique<client::push_consumer>(options);
    HOLDFAST_CHECK(member->subscribe(book_.topic()).ok());
    HOLDFAST_CHECK(member->start([this](client::delivery got) { take(std::move(got)); }).ok());
    members_.push_back(std::move(member));
}

void delivery_load::take(client::delivery got) {
    const auto turn = ++turn_ * 0x9E3779B97F4A7C15U >> 33U;
    auto says = word::acknowledged;
    // A few tries at most: the sixteenth would be the last one.
    if (!calm_ && got.reconsume_times() < 3)
        says = turn % 16 < 2 ? word::sent_back : turn % 16 == 2 ? word::held : word::acknowledged;
    book_.delivered(place_of(got), got.offset().value(), got.body(), says);
    switch (says) {
    case word::acknowledged:
        return got.ack();
    case word::sent_back:
        return got.retry_later();
    case word::held: {
        const std::lock_guard lock{held_mutex_};
        held_deliveries_.push_back(std::move(got));
    }
    }
}

void delivery_load::settle_held() {
    decltype(held_deliveries_) some;
    {
        const std::lock_guard lock{held_mutex_};
        some.swap(held_deliveries_);
    }
    for (auto& each : some) {
        if (++turn_ % 3 == 0)
            continue;
        // Too late an acknowledgement has no effect, and the message comes again.
        if (!each.lost())
            book_.acknowledged(place_of(each), each.offset().value(), each.body());
        each.ack();
    }
}

bool delivery_load::confirm() {
    settle_held();
    const auto before = consumer_troubles_.load();
    for (auto& member : members_)
        member->shutdown(200ms);
    members_.clear();
    return consumer_troubles_ == before && ask_for_offsets();
}

// All commits are answered, so what is stored now is durable.
bool delivery_load::ask_for_offsets() {
    wire_client client{broker_port_, 500ms};
    for (const auto& queue : book_.places()) {
        const auto stored = client.ask(protocol::query_consumer_offset_request{
            .consumer_group = delivery_ledger::group,
            .topic = queue.topic,
            .queue = queue_number{static_cast<std::uint32_t>(queue.queue)},
            .set_zero_if_not_found = false});
        if (!stored)
            return false;
        const bool nothing = stored->code() == static_cast<int>(protocol::response_code::query_not_found);
        if (!stored->ok() && !nothing)
            return false;
        book_.confirmed(
            queue, nothing
                       ? 0
                       : protocol::decode_header<protocol::offset_response>(stored->command)->offset.value());
    }
    return true;
}

} // namespace holdfast::crash
