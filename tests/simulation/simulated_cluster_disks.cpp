// What becomes of the disks of a simulated cluster, and of nodes that must begin anew.
#include "tests/simulation/simulated_cluster.hpp"

#include <algorithm>

namespace holdfast::simulation {

void simulated_cluster::new_disk(host& one) {
    one.disk = std::make_unique<storage::simulated_disk>(
        storage::simulated_disk_options{random_(), pick(2) == 0 ? 512U : 4096U, UINT64_MAX});
    become_another(one);
}

void simulated_cluster::become_another(host& one) {
    one.settings.id = {};
    one.settings.id[0] = static_cast<std::uint8_t>(one.name.front());
    one.settings.id[1] = static_cast<std::uint8_t>(one.lives);
    one.settings.id[2] = static_cast<std::uint8_t>(one.lives >> 8U);
    one.derived = {};
    one.older_derived = {};
}

void simulated_cluster::wipe(std::size_t which, virtual_ms until_on) {
    if (!hosts_[which].node)
        return;
    leave(which);
    replace_disk(which);
    after(until_on, [this, which] { start(which); });
}

void simulated_cluster::replace_disk(std::size_t which) {
    auto& one = hosts_[which];
    ++one.lives;
    ++marks_.wiped;
    one.was_wiped = true;
    one.is_rotten = one.is_full = one.lacks_room = one.reads_fail = false;
    one.flushed_before.reset();
    one.begins_at.reset();
    new_disk(one);
}

void simulated_cluster::fill_disk(std::size_t which, std::uint64_t room_bytes, virtual_ms length) {
    auto& one = hosts_[which];
    const auto space = one.disk->space({});
    HOLDFAST_CHECK(space.ok());
    one.disk->set_capacity(space->total_bytes - space->free_bytes + room_bytes);
    one.is_full = true;
    after(length, [this, which] { repair_disk(hosts_[which]); });
}

void simulated_cluster::run_short(std::size_t which, virtual_ms length) {
    hosts_[which].lacks_room = true;
    hosts_[which].is_left = false;
    after(length, [this, which] { repair_disk(hosts_[which]); });
}

// As long as it leads it writes on.
void simulated_cluster::tell_room(host& one) {
    if (one.lacks_room == one.room_until.has_value())
        return;
    one.room_until.reset();
    if (one.lacks_room)
        one.room_until = one.node->replica().appended() + (pick(2) == 0 ? 0 : pick(20'000));
    one.node->step(broker::room_changed{one.room_until});
}

// Only reads of the log, and only while the power is on: the disk says itself that it is going.
void simulated_cluster::spoil_reads(std::size_t which, virtual_ms length) {
    auto& one = hosts_[which];
    if (!one.node || !settings_.sync)
        return;
    const auto& segments = one.node->log().segments();
    const auto first = segments.first();
    const auto end = one.node->replica().flushed();
    if (end <= first)
        return;
    const auto place = first + pick(end - first);
    const auto around = segments.find(place);
    one.disk->fail_reads_at(around->name(), place - around->first());
    one.reads_fail = true;
    after(length, [this, which] { repair_disk(hosts_[which]); });
}

void simulated_cluster::repair_disk(host& one) {
    one.disk->set_capacity(UINT64_MAX);
    one.disk->heal_reads();
    one.is_full = one.lacks_room = one.reads_fail = false;
}

void simulated_cluster::repair_disks() {
    for (auto& one : hosts_) {
        repair_disk(one);
        marks_.failed_reads += one.disk->failed_reads();
    }
}

// Tried again until it is done. A power cut may leave it half done, or not begun.
void simulated_cluster::start_anew(std::size_t which, log_position first) {
    auto& one = hosts_[which];
    if (pick(4) == 0 && settings_.sync)
        one.disk->cut_power_after(pick(12));
    const auto begun = simulated_node::begin_anew(*one.disk, one.settings, first);
    if (begun.ok() || pick(2) == 0)
        one.begins_at.reset();
    if (!one.disk->has_power() || (!begun.ok() && begun.failure().code == errc::io_failed))
        one.disk->crash();
    else if (!begun.ok() && !(one.is_full && begun.failure().code == errc::unavailable))
        return report("refused: " + one.name + " can't begin anew: " + begun.failure().message);
    after(virtual_ms{10}, [this, which] { start(which); });
}

// True when the process is over.
bool simulated_cluster::follow_ends(std::size_t which, const simulated_node::outcomes& outcomes) {
    auto& one = hosts_[which];
    if (!outcomes.begin_at && !outcomes.is_seeded)
        return false;
    marks_.begun_anew += outcomes.begin_at ? 1 : 0;
    marks_.seeded += outcomes.is_seeded ? 1 : 0;
    leave(which);
    if (outcomes.begin_at) {
        ++one.lives;
        one.was_wiped = true;
        one.begins_at = outcomes.begin_at;
        become_another(one);
    }
    after(pick_ms(10, 300), [this, which] { start(which); });
    return true;
}

} // namespace holdfast::simulation
