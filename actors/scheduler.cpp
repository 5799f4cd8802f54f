#include "actors/scheduler.hpp"

#include <algorithm>
#include <ctime>
#include <malloc.h>
#include <spdlog/spdlog.h>
#include <utility>

namespace holdfast::actors {
namespace {

constexpr std::chrono::milliseconds scan_interval{1'000};
// Kept free for what a full disk needs most: checkpoints and the operator's shell.
constexpr std::uint64_t reserve_bytes = 128U << 20U;
// Of that, what a follower keeps. The rest, and what is left of the last segment, is for what a leader still
// writes while it refuses messages: retention above all, which makes room again.
constexpr std::uint64_t follower_reserve_bytes = 32U << 20U;
constexpr std::uint64_t restful_bytes = 1U << 20U; // of log in one scan_interval

void watch_disk(scheduler_environment& environment) {
    const auto space = environment.files->space(environment.store);
    if (!space.ok()) {
        spdlog::warn("the free space is not known: {}", space.failure().message);
        return;
    }
    const auto& segments = environment.log->segments();
    const auto ahead =
        segments.allocated_until().value() - std::min(segments.allocated_until(), segments.written()).value();
    auto refused = lack_of_room(*space, *environment.config, ahead);
    const bool is_short = space->free_bytes < follower_reserve_bytes + environment.config->segment_bytes;
    environment.health->set_room(is_short ? std::optional{segments.allocated_until()} : std::nullopt);
    if (const auto too_full = excess(*space, *environment.config))
        refused = too_full;
    if (environment.config->faults.space_full)
        refused = "the disk is full (faultInjection space:full)";
    const bool was_full = environment.health->now() == health::disk_full;
    if (refused) {
        if (!was_full)
            spdlog::error("messages are refused from now on: {}", *refused);
        environment.health->set(health::disk_full, *refused);
    } else if (was_full) {
        spdlog::info("the disk has room again, messages are taken");
        environment.health->set(health::healthy, "");
    }
}

void retain(scheduler_state& state) {
    auto& environment = state.environment;
    const auto now = environment.wall_clock();
    // Once in each hour that deleteWhen names.
    const auto seconds = static_cast<std::time_t>(now.value() / 1000);
    std::tm local{};
    localtime_r(&seconds, &local);
    const auto& hours = environment.config->delete_at_hours;
    const auto hour_number = now.value() / 3'600'000;
    if (std::find(hours.begin(), hours.end(), static_cast<std::uint32_t>(local.tm_hour)) == hours.end() ||
        state.last_retention_hour == hour_number || !environment.health->leads())
        return;
    state.last_retention_hour = hour_number;
    const auto segments = environment.log->reader().segments();
    if (!segments.ok())
        return spdlog::error("retention can't see the segments: {}", segments.failure().message);
    if (const auto until = expired_until(*segments, now, environment.config->retention))
        caf::anon_send(environment.commit_log, plan_atom::value, *until,
                       now - std::chrono::milliseconds{environment.config->retention}.count());
}

// What a burst has needed and freed stays with the allocator, some 50 to 100 MiB.
void give_back_memory(scheduler_state& state) {
    const auto& environment = state.environment;
    if (state.memory.is_time(environment.log->segments().written(), environment.counters->messages_got))
        ::malloc_trim(0);
}

} // namespace

std::optional<std::string> excess(const storage::disk_space& space, const config::node_config& config) {
    const auto used_percent =
        space.total_bytes == 0
            ? 0
            : 100 - static_cast<std::uint32_t>(100.0 * static_cast<double>(space.free_bytes) /
                                               static_cast<double>(space.total_bytes));
    if (used_percent <= config.disk_max_used_percent)
        return std::nullopt;
    return "the disk is " + std::to_string(used_percent) + " % full, diskMaxUsedSpaceRatio allows " +
           std::to_string(config.disk_max_used_percent) + ": make room, or raise it";
}

std::optional<std::string> lack_of_room(const storage::disk_space& space, const config::node_config& config,
                                        std::uint64_t allocated_ahead) {
    const auto wanted = reserve_bytes + (allocated_ahead < config.segment_bytes ? config.segment_bytes : 0);
    if (space.free_bytes >= wanted)
        return std::nullopt;
    return "the disk has only " + std::to_string(space.free_bytes >> 20U) + " MiB free and the log needs " +
           std::to_string(wanted >> 20U) + " MiB for its next segment: make room";
}

std::optional<log_position> expired_until(const std::vector<storage::segment_info>& segments,
                                          timestamp_ms now, std::chrono::hours retention) {
    const auto oldest_kept = now - std::chrono::milliseconds{retention}.count();
    std::optional<log_position> until;
    for (const auto& segment : segments) {
        if (!segment.newest || *segment.newest >= oldest_kept)
            break;
        until = segment.last;
    }
    return until;
}

bool give_back_rule::is_time(log_position written, std::uint64_t messages_got) {
    const bool rests = written - std::min(written, written_) < restful_bytes && messages_got == messages_got_;
    written_ = written;
    messages_got_ = messages_got;
    ++since_last_;
    restful_ = rests ? restful_ + 1 : 0;
    was_busy_ = was_busy_ || !rests;
    if (!was_busy_ || restful_ < restful_scans || since_last_ < scans_between)
        return false;
    was_busy_ = false;
    since_last_ = 0;
    return true;
}

scheduler_actor::behavior_type scheduler(scheduler_actor::stateful_pointer<scheduler_state> self,
                                         scheduler_environment environment) {
    self->state.environment = std::move(environment);
    self->send(self, tick_atom::value);
    return {[self](tick_atom) {
        self->delayed_send(self, scan_interval, tick_atom::value);
        watch_disk(self->state.environment);
        retain(self->state);
        give_back_memory(self->state);
    }};
}

} // namespace holdfast::actors
