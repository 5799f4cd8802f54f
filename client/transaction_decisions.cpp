// transaction_producer::engine: decisions on their way to the broker.
//
// A broker keeps the first decision for ever, so the same one may be told twice: when the leader is gone, it
// is told to the next one, until somebody answers or its time is over. Then the broker asks the checker.
#include "client/decision_wire.hpp"
#include "client/retry_policy.hpp"
#include "client/transaction_engine.hpp"

#include <algorithm>

namespace holdfast::client {

protocol::transaction_end to_wire(transaction_decision decision) {
    switch (decision) {
    case transaction_decision::commit:
        return protocol::transaction_end::commit;
    case transaction_decision::rollback:
        return protocol::transaction_end::rollback;
    case transaction_decision::unknown:
        return protocol::transaction_end::unknown;
    }
    return protocol::transaction_end::unknown;
}

result<void> send_decision(connection& broker, const protocol::end_transaction_request& request) {
    const auto refused = broker.start_oneway(
        [&](byte_buffer& out, const protocol::call& how) { protocol::append_request(out, how, request); });
    return refused ? result<void>{error{errc::unavailable, refused->text}} : result<void>{};
}

struct transaction_producer::engine::pending_decision {
    half_place half;
    transaction_decision decision = transaction_decision::unknown;
    decision_callback done;
    in_flight::clock::time_point deadline{};
    unsigned leaderless_tries = 0;
};

namespace {

error no_leader_for(const half_place& half) {
    return {errc::unavailable, "no broker " + half.receipt.broker_name + " leads now for " + half.topic};
}

} // namespace

// By the broker's name, because the node that took the half message may not lead any more.
std::shared_ptr<connection> transaction_producer::engine::broker_of(const half_place& half) const {
    const route_ptr route = client().routes().find(half.topic);
    if (route == nullptr)
        return nullptr;
    return node_of(*route, half.receipt.broker_name, 0, client().lookup());
}

protocol::end_transaction_request
transaction_producer::engine::request_of(const half_place& half, transaction_decision decision) const {
    return {.producer_group = options_.sending.group,
            .state_table_offset = half.receipt.offset,
            .commit_log_offset = half.position,
            .verdict = to_wire(decision),
            .from_check = false,
            .message_id = half.receipt.message_id,
            .transaction_id = half.receipt.message_id,
            .topic = half.topic,
            .broker_name = half.receipt.broker_name};
}

void transaction_producer::engine::decide(const half_place& half, transaction_decision decision,
                                          decision_callback done) {
    // Brokers do not answer `unknown`, and forget it.
    if (decision == transaction_decision::unknown) {
        const auto broker = broker_of(half);
        const auto sent = broker != nullptr ? send_decision(*broker, request_of(half, decision))
                                            : result<void>{no_leader_for(half)};
        if (done)
            done(sent);
        return;
    }
    bool ended = false;
    {
        const std::lock_guard lock{mutex_};
        ended = ended_;
        unconfirmed_ += ended ? 0 : 1;
    }
    if (ended) {
        if (done)
            done(error{errc::unavailable,
                       "the producer is shut down; the broker will ask the checker of another"});
        return;
    }
    auto pending = std::make_shared<pending_decision>();
    pending->half = half;
    pending->decision = decision;
    pending->done = std::move(done);
    pending->deadline = in_flight::clock::now() + options_.sending.send_timeout;
    try_to_decide(pending);
}

void transaction_producer::engine::try_to_decide(const decision_ptr& decision) {
    const auto broker = broker_of(decision->half);
    if (broker == nullptr)
        return decide_at_next_leader(decision, no_leader_for(decision->half));
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(decision->deadline - in_flight::clock::now());
    ask(*broker, request_of(decision->half, decision->decision), {},
        std::min(client().options().request_timeout, std::max(left, std::chrono::milliseconds{1})),
        [self = shared_from_this(), decision](const call_outcome& outcome) {
            self->decision_answered(decision, outcome);
        });
}

void transaction_producer::engine::decision_answered(const decision_ptr& decision,
                                                     const call_outcome& outcome) {
    if (outcome.ok())
        return end_decision(decision, {});
    if (is_fail_over(outcome))
        return decide_at_next_leader(decision, to_error(outcome));
    // Nobody waits for it, and more wait for their answers than may: it goes as stock clients send it.
    if (outcome.failure != nullptr && outcome.failure->kind == call_failure_kind::full && !decision->done)
        if (const auto broker = broker_of(decision->half))
            (void)send_decision(*broker, request_of(decision->half, decision->decision));
    end_decision(decision, to_error(outcome));
}

void transaction_producer::engine::decide_at_next_leader(const decision_ptr& decision, error why) {
    const auto pause = leader_search_pause(decision->leaderless_tries++);
    const auto deadline = decision->done ? decision->deadline : std::min(decision->deadline, farewell_);
    if (in_flight::clock::now() + pause >= deadline)
        return end_decision(decision, error{why.code, why.message + "; the broker will ask the checker"});
    client().suspect_route(decision->half.topic);
    client().after(pause, [self = shared_from_this(), decision] { self->try_to_decide(decision); });
}

void transaction_producer::engine::end_decision(const decision_ptr& decision, const result<void>& outcome) {
    if (decision->done)
        decision->done(outcome);
    const std::lock_guard lock{mutex_};
    --unconfirmed_;
    changed_.notify_all();
}

} // namespace holdfast::client
