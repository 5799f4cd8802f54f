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

} // namespace

delivery_load::delivery_load(delivery_ledger& book, std::uint64_t seed,
                             std::function<server_address()> broker, std::string name_servers)
    : book_(book),
      broker_(std::move(broker)),
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
    if (stopping_.exchange(true))
        return;
    for (auto& thread : threads_)
        thread.join();
    threads_.clear();
    plain_.shutdown();
    decide_held(true);
    join_group(member_mode::calm);
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
    join_group(member_mode::restless);
    while (!stopping_) {
        std::this_thread::sleep_for(std::chrono::milliseconds{50 + random() % 400});
        switch (random() % 4) {
        case 0:
            confirm();
            break;
        case 1: // one that takes over from the other while that dies
            join_group(member_mode::restless);
            break;
        case 2:
            kill_oldest();
            break;
        default:
            while (!members_.empty())
                kill_oldest();
        }
        if (members_.empty()) {
            book_.group_is_empty();
            join_group(member_mode::restless);
        }
        if (members_.size() > 2)
            kill_oldest();
    }
    // They would die with this thread anyhow.
    while (!members_.empty())
        kill_oldest();
    book_.group_is_empty();
}

void delivery_load::join_group(member_mode mode) {
    members_.push_back(std::make_unique<consumer_process>(
        name_servers_, delivery_ledger::group, book_.topic(), "", mode,
        [this, member = ++members_made_](const told_delivery& one) { book_.told(member, one); }));
}

void delivery_load::kill_oldest() {
    members_.pop_front();
    ++consumers_killed_;
}

bool delivery_load::confirm() {
    bool all_answered = true;
    for (auto& member : members_)
        all_answered = member->leave() && all_answered;
    members_.clear();
    return all_answered && ask_for_offsets();
}

// All commits are answered, so what is stored now is durable.
bool delivery_load::ask_for_offsets() {
    const auto broker = broker_();
    if (broker.port == 0)
        return false;
    wire_client client{broker, 500ms};
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
    ++confirmations_;
    return true;
}

} // namespace holdfast::crash
