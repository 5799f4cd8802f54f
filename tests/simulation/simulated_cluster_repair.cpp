// Rot in a simulated cluster: how it comes, and how it is put right (docs/decisions/0009).
#include "storage/log_scanner.hpp"
#include "tests/simulation/simulated_cluster.hpp"

#include <algorithm>

namespace holdfast::simulation {
namespace {

// How far the log itself says that it is on the disk: its last whole entry was sealed when it was flushed up
// to there.
log_position proved_by_itself(simulated_node& node) {
    const auto& segments = node.log().segments();
    log_position proved;
    for (storage::log_scanner scanner{segments, segments.first(), segments.flushed()};;) {
        const auto next = scanner.next();
        if (!next.ok() || !next->has_value())
            return proved;
        proved = (*next)->header.flushed;
    }
}

} // namespace

// --- how it comes
// -------------------------------------------------------------------------------------------------

// A bit flips, or a write of a sector goes to another place. Nothing at or behind `limit` changes.
void simulated_cluster::damage(host& one, log_position place, log_position limit) {
    constexpr std::uint64_t sector = 512;
    const auto around = one.node->log().segments().find(place);
    const auto file = around->name();
    const auto offset = place - around->first();
    const auto sector_first = align_down(offset, sector);
    one.is_rotten = true;
    if (pick(2) == 0 || around->first() + (sector_first + sector) > limit)
        return one.disk->flip_bit(file, offset, static_cast<unsigned>(pick(8)));
    const auto bytes = one.disk->content(file);
    const auto from = pick(bytes.size() / sector) * sector;
    one.disk->overwrite(file, sector_first, byte_view{bytes}.subspan(from, sector));
}

// Among what is known to have been flushed: of the last batch nobody can tell (storage/recovery). With the
// derived store gone too, the next start looks at all of it.
void simulated_cluster::rot(std::size_t which, virtual_ms until_on) {
    auto& one = hosts_[which];
    if (!one.node || !settings_.sync)
        return;
    checkpoint(which);
    // Of earlier rot at the end of the log the derived store alone may know that it is no torn write.
    if (pick(2) == 0 && !one.is_rotten)
        one.derived = one.older_derived = {};
    const auto first = one.node->log().segments().first();
    const auto known = std::max(one.derived.log_durable, proved_by_itself(*one.node));
    if (known <= first)
        return;
    // Where no entry stands behind it, nobody can help.
    const auto place = pick(3) == 0 ? known - 1 - pick(std::min<std::uint64_t>(known - first, 200))
                                    : first + pick(known - first);
    const auto flushed = one.node->replica().flushed();
    damage(one, place, known);
    power_off(which, until_on);
    one.flushed_before = flushed;
}

void simulated_cluster::rot_in_use(std::size_t which) {
    auto& one = hosts_[which];
    if (!one.node || !settings_.sync)
        return;
    const auto first = one.node->log().segments().first();
    const auto settled = std::min(one.node->replica().committed(), one.derived.log_durable);
    const log_position limit{align_down(settled.value(), storage::block_size)};
    if (limit <= first)
        return;
    damage(one, first + pick(limit - first), limit);
    after(pick_ms(1, 300), [this, which, life = one.life] { look_for_rot(which, life); });
}

// --- how it is found and put right
// --------------------------------------------------------------------------------

// What a reader does that meets it, until the whole log can be read again. What a fenced node reads may be
// what it failed to write, and gone with the power.
void simulated_cluster::look_for_rot(std::size_t which, std::uint64_t life) {
    auto& one = hosts_[which];
    if (!one.node || one.life != life || !one.is_rotten || !problem_.empty())
        return;
    const auto& segments = one.node->log().segments();
    const auto settled = std::min(one.node->replica().committed(), segments.flushed());
    storage::log_scanner scanner{segments, segments.first(), segments.flushed()};
    for (;;) {
        const auto next = scanner.next();
        if (next.ok() && !next->has_value()) {
            one.is_rotten = false;
            return;
        }
        if (next.ok())
            continue;
        if (next.failure().code == errc::corrupted && one.paused_until <= now_) {
            ++marks_.rot_found_later;
            one.mender->rot(scanner.position(), settled, clock_of(one));
            follow_mender(which);
        }
        return after(pick_ms(100, 400), [this, which, life] { look_for_rot(which, life); });
    }
}

// As actors/rotten_start: the node does nothing but mend.
void simulated_cluster::mend(std::size_t which) {
    auto& one = hosts_[which];
    ++marks_.rot_refused;
    const auto identity = storage::load_hard_state(*one.disk, one.settings.store / "hard_state");
    auto mender = simulated_mender::instead_of_a_node(*one.disk, one.settings, one.derived, sending_of(which),
                                                      clock_of(one));
    if (!identity.ok() || !mender.ok()) {
        one.disk->crash();
        return after(pick_ms(50, 500), [this, which] { start(which); });
    }
    one.identity = *identity;
    one.mender = *std::move(mender);
    one.paused_until = now_;
    ++one.life;
    tick_mender(which, one.life);
}

void simulated_cluster::tick_mender(std::size_t which, std::uint64_t life) {
    auto& one = hosts_[which];
    if (one.node || !one.mender || one.life != life)
        return;
    if (one.paused_until <= now_)
        one.mender->tick(clock_of(one));
    follow_mender(which);
    after(virtual_ms{50}, [this, which, life] { tick_mender(which, life); });
}

void simulated_cluster::follow_mender(std::size_t which) {
    auto& one = hosts_[which];
    if (!one.mender || !problem_.empty())
        return;
    const auto outcomes = one.mender->take_outcomes();
    digest_.add(outcomes.mended);
    marks_.mended += outcomes.mended;
    if (!one.disk->has_power())
        return power_off(which, pick_ms(50, 3'000));
    if (!outcomes.end)
        return;
    marks_.unrepaired += outcomes.end->result == broker::repair_result::unrepaired ? 1 : 0;
    if (one.node)
        end_repair_in_use(which, *outcomes.end);
    else
        end_repaired_start(which, *outcomes.end);
}

// What it promised it still is: the same member, with the same vote.
void simulated_cluster::end_repaired_start(std::size_t which, const broker::repair_end& end) {
    auto& one = hosts_[which];
    one.mender.reset();
    if (end.result == broker::repair_result::unrepaired) // its operator gives it an empty disk
        replace_disk(which);
    else if (end.result == broker::repair_result::disk_failed)
        one.disk->crash();
    else if (const auto now = storage::load_hard_state(*one.disk, one.settings.store / "hard_state");
             !now.ok() || *now != one.identity)
        return report("repair: " + one.name + " is another member, or has forgotten its vote");
    else
        ++marks_.mended_starts;
    after(pick_ms(10, 500), [this, which] { start(which); });
}

void simulated_cluster::end_repair_in_use(std::size_t which, const broker::repair_end& end) {
    // The process ends, as after every write that failed. Only a power cut shows what is on the disk: until
    // then reads show what was to be written.
    if (end.result == broker::repair_result::disk_failed)
        return after(virtual_ms{0}, [this, which, life = hosts_[which].life] {
            if (hosts_[which].life == life)
                power_off(which, pick_ms(10, 500));
        });
    marks_.mended_in_use += end.result == broker::repair_result::sound ? 1 : 0;
    if (end.result == broker::repair_result::unrepaired && may_lose_disk_of(which))
        return after(virtual_ms{0}, [this, which] { wipe(which, pick_ms(50, 500)); });
}

// --- between the nodes
// --------------------------------------------------------------------------------------------

simulated_mender::send_action simulated_cluster::sending_of(std::size_t which) {
    return [this, which](const std::string& to, const std::string& head, const std::vector<std::byte>& body) {
        return post_bytes(which, static_cast<std::size_t>(to.front() - 'a'), head, body);
    };
}

bool simulated_cluster::post_bytes(std::size_t from, std::size_t to, const std::string& head,
                                   const std::vector<std::byte>& body) {
    if (!hosts_[to].mender || !network_.is_open(from, to) || !network_.is_open(to, from))
        return false;
    digest_.add(head);
    digest_.add(body);
    for (const auto arrival : network_.send(from, to))
        after(arrival, [this, from, to, head, body] { receive_bytes(from, to, head, body); });
    return true;
}

void simulated_cluster::receive_bytes(std::size_t from, std::size_t to, const std::string& head,
                                      const std::vector<std::byte>& body) {
    auto& one = hosts_[to];
    if (!one.mender || !problem_.empty())
        return;
    if (one.paused_until > now_)
        return after(one.paused_until - now_,
                     [this, from, to, head, body] { receive_bytes(from, to, head, body); });
    one.mender->received(hosts_[from].name, head, shared_bytes::copy_of(body), clock_of(one));
    follow_mender(to);
}

} // namespace holdfast::simulation
