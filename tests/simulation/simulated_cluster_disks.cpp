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
    one.is_rotten = false;
    one.begins_at.reset();
    new_disk(one);
}

// A bit flips, or a write of a sector goes to another place, among what was flushed long ago.
void simulated_cluster::rot(std::size_t which, virtual_ms until_on) {
    auto& one = hosts_[which];
    if (!one.node || !settings_.sync)
        return;
    const auto& segments = one.node->log().segments();
    const auto first = segments.first();
    if (one.derived.log_durable <= first)
        return;
    const auto place = first + pick(one.derived.log_durable - first);
    const auto around = segments.find(place);
    const auto file = around->name();
    const auto offset = place - around->first();
    power_off(which, until_on);
    one.is_rotten = true;
    if (pick(2) == 0)
        return one.disk->flip_bit(file, offset, static_cast<unsigned>(pick(8)));
    constexpr std::size_t sector = 512;
    const auto bytes = one.disk->content(file);
    const auto from = pick(bytes.size() / sector) * sector;
    one.disk->overwrite(file, align_down(offset, sector), byte_view{bytes}.subspan(from, sector));
}

// What was rotten is never served: the node refuses to start, or an audit finds it; then its operator gives
// it an empty disk. What no entry was written in is no loss. True when there is nothing to start.
bool simulated_cluster::finds_rot(std::size_t which, const result<std::unique_ptr<simulated_node>>& started) {
    auto& one = hosts_[which];
    if (started.ok()) {
        const auto& segments = (*started)->log().segments();
        storage::log_scanner scanner{segments, segments.first(), (*started)->replica().applied()};
        for (;;) {
            const auto next = scanner.next();
            if (!next.ok())
                break;
            if (!next->has_value()) {
                one.is_rotten = false;
                return false;
            }
        }
    } else if (started.failure().code != errc::corrupted) {
        return false;
    }
    ++(started.ok() ? marks_.rot_found_later : marks_.rot_refused);
    after(pick_ms(10, 1'000), [this, which] {
        replace_disk(which);
        start(which);
    });
    return true;
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
    else if (!begun.ok())
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
