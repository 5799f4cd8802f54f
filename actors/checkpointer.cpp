#include "actors/checkpointer.hpp"

#include <algorithm>
#include <memory>
#include <spdlog/spdlog.h>
#include <utility>

namespace holdfast::actors {
namespace {

bool save(checkpoint_job& job, const checkpointer_environment& environment) {
    auto outcome = environment.store->write(std::move(job.checkpoint.batch), job.applied);
    if (outcome.ok()) {
        for (const auto& [queue, until] : job.checkpoint.covered)
            environment.view->queues().evict(queue, until);
        environment.view->deliveries().evict(job.checkpoint.settled);
        environment.view->delays().evict(job.applied);
        outcome = environment.store->flush();
    }
    if (!outcome.ok())
        spdlog::critical("a checkpoint of the derived store failed: {}", outcome.failure().message);
    return outcome.ok();
}

// Only whole segments go, and a log begins with an entry.
result<log_position> segment_begin(log_position position, const checkpointer_environment& environment) {
    const auto segments = environment.log->reader().segments();
    if (!segments.ok())
        return segments.failure();
    auto begin = segments->empty() ? position : segments->front().first;
    for (const auto& segment : *segments) {
        if (segment.first <= position)
            begin = segment.first;
        if (segment.last <= position)
            begin = segment.last;
    }
    return begin;
}

trim_plan_ptr plan(broker::reference_ledger::limit limit, const checkpointer_environment& environment) {
    auto planned = std::make_shared<trim_plan>();
    const auto begin = segment_begin(limit.first, environment);
    if (!begin.ok()) {
        spdlog::error("old segments stay: {}", begin.failure().message);
        return nullptr;
    }
    limit.first = *begin;
    // Whatever a start would have to apply again must stay.
    limit.first = planned->first = std::min(limit.first, environment.store->durable());
    for (const auto& [queue, bounds] : environment.view->queues().all()) {
        const auto kept = broker::first_kept(*environment.store, queue, bounds, limit);
        if (!kept.ok()) {
            spdlog::error("old segments stay: {}", kept.failure().message);
            return nullptr;
        }
        if (*kept > queue_offset{0})
            planned->firsts.emplace_back(queue, *kept);
    }
    return planned;
}

void remove_below(log_position first, const checkpointer_environment& environment) {
    const auto removed = environment.log->remove_before(first);
    if (!removed.ok())
        spdlog::error("old segments could not be removed: {}", removed.failure().message);
    else
        spdlog::info("retention: the log now begins at {}", removed->value());
    auto* const keys = environment.keys->load(std::memory_order_acquire);
    if (keys == nullptr)
        return;
    if (const auto dropped = keys->drop_below(first); !dropped.ok())
        spdlog::warn("the key index keeps old entries: {}", dropped.failure().message);
}

// A start needs what its derived store has not applied. On the leader that planned the trim the store is
// always far enough; a follower's may be older, and then the segments wait for its next checkpoint.
void remove_trimmed(log_position& trimmed, const checkpointer_environment& environment) {
    if (trimmed == log_position{0} || environment.store->durable() < trimmed)
        return;
    remove_below(std::exchange(trimmed, log_position{0}), environment);
}

} // namespace

checkpointer_actor::behavior_type checkpointer(checkpointer_actor::pointer self, commit_log_actor log,
                                               checkpointer_environment environment) {
    const auto trimmed = std::make_shared<log_position>();
    return {
        [=](save_atom, const checkpoint_job_ptr& job) {
            const bool is_saved = save(*job, environment);
            self->send(log, saved_atom::value, is_saved);
            if (is_saved)
                remove_trimmed(*trimmed, environment);
        },
        [=](plan_atom, log_position first, log_position references) {
            if (auto planned = plan({first, references}, environment))
                self->send(log, trim_atom::value, std::move(planned));
        },
        [=](trim_atom, log_position first) {
            *trimmed = std::max(*trimmed, first);
            remove_trimmed(*trimmed, environment);
        },
    };
}

} // namespace holdfast::actors
