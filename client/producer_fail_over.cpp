// producer::engine: sends whose broker is gone wait, in order, until the name servers know who leads now, or
// until their time is over.
#include "client/producer_engine.hpp"
#include "client/retry_policy.hpp"

#include <algorithm>

namespace holdfast::client {

void producer::engine::wait_for_leader(const send_ptr& send) {
    const std::string topic = send->topic;
    {
        const std::lock_guard lock{waiting_mutex_};
        const auto [line, is_first] = waiting_.try_emplace(topic);
        line->second.push_back(
            {send->deadline, [this, send](const result<route_ptr>& got) { try_at_leader(send, got); }});
        if (!is_first)
            return;
        waiting_topics_.fetch_add(1, std::memory_order_release);
    }
    // The first one goes at once, a broker that refuses the second time is given a moment.
    const auto before = static_cast<unsigned>(send->tries - 1);
    if (before == 0)
        return ask_for_leader(topic, 0);
    runtime_.after(fail_over_pause(before - 1), [this, topic, before] { ask_for_leader(topic, before); });
}

void producer::engine::ask_for_leader(const std::string& topic, unsigned questions_before) {
    const auto answered = [this, topic, questions_before](const result<route_ptr>& got) {
        leader_answered(topic, questions_before, got);
    };
    runtime_.doubt_route(topic, [this, topic, answered](const result<route_ptr>& got) {
        if (!got && got.failure().code == errc::not_found)
            return offer_route(topic, answered, &runtime::doubt_route); // its first message never arrived
        answered(got);
    });
}

void producer::engine::leader_answered(const std::string& topic, unsigned questions_before,
                                       const result<route_ptr>& got) {
    if (got && !(*got)->writable.empty())
        return serve_waiting(topic, got);
    // Name servers that can't be reached at all are a wrong address, unless one was reached before. And a
    // topic that may not be written does not change soon.
    const bool was_reached = !runtime_.routes().all().empty();
    if (!got && (got.failure().code == errc::not_found || !was_reached))
        return serve_waiting(topic, got);
    if (!drop_late(topic, got))
        return;
    runtime_.after(fail_over_pause(questions_before),
                   [this, topic, questions_before] { ask_for_leader(topic, questions_before + 1); });
}

bool producer::engine::drop_late(const std::string& topic, const result<route_ptr>& got) {
    const error why =
        got ? error{errc::unavailable, "no broker of topic " + topic + " has a leader now"} : got.failure();
    std::vector<waiter> late;
    bool others = true;
    {
        const std::lock_guard lock{waiting_mutex_};
        const auto line = waiting_.find(topic);
        auto& all = line->second;
        const auto now = clock::now();
        const auto kept = std::stable_partition(all.begin(), all.end(),
                                                [&](const waiter& each) { return each.deadline > now; });
        std::move(kept, all.end(), std::back_inserter(late));
        all.erase(kept, all.end());
        others = !all.empty();
        if (!others) {
            waiting_.erase(line);
            waiting_topics_.fetch_sub(1, std::memory_order_release);
        }
    }
    for (const waiter& each : late)
        each.handler(why);
    return others;
}

void producer::engine::try_at_leader(const send_ptr& send, const result<route_ptr>& got) {
    const send_error last = *send->last_failure;
    if (!got || clock::now() >= send->deadline)
        return finish(*send, send_error{last.kind, last.response_code,
                                        last.message + (got ? "" : "; " + got.failure().message)});
    const message_queue wanted = send->route->writable[send->place].id;
    const auto& queues = (*got)->writable;
    const auto same = std::find_if(queues.begin(), queues.end(),
                                   [&](const placed_queue& each) { return each.id == wanted; });
    if (same == queues.end() && send->pinned)
        return finish(*send, send_error{last.kind, last.response_code,
                                        last.message + "; the queue it was meant for has no leader now"});
    send->route = *got;
    if (send->pinned)
        send->place = static_cast<std::size_t>(same - queues.begin());
    else
        choose_other_queue(*send);
    try_now(send);
}

} // namespace holdfast::client
