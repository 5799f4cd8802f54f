#include "storage/log_rot.hpp"

#include "storage/log_scanner.hpp"
#include "storage/log_search.hpp"

namespace holdfast::storage {

result<std::optional<rotten_place>> find_rot(const segment_set& segments, const rot_search& where) {
    const std::optional<rotten_place> none;
    log_scanner scanner{segments, where.from, where.until};
    rotten_place place;
    for (;;) {
        const auto next = scanner.next();
        if (next && !next->has_value())
            return none;
        if (!next && next.failure().code != errc::corrupted)
            return next.failure();
        if (!next) {
            place.first = scanner.position();
            place.reason = next.failure().message;
            break;
        }
        place.before = (*next)->header;
    }
    const auto last_term = place.before ? place.before->term : term_number{0};
    const auto behind = place.first + entry_alignment;
    const auto next =
        find_entry(segments, behind, [&](const entry_header& entry) { return entry.term >= last_term; });
    if (!next)
        return next.failure();
    place.has_end = next->found.has_value();
    if (place.first < where.durable_until)
        return std::optional{place};
    if (!place.has_end)
        return none;
    const auto witness = find_entry(segments, next->found->position, [&](const entry_header& entry) {
        return entry.term >= last_term && entry.flushed > place.first;
    });
    if (!witness)
        return witness.failure();
    return witness->found ? std::optional{place} : none;
}

} // namespace holdfast::storage
