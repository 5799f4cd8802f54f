#include "broker/members.hpp"

#include "broker/command.hpp"
#include "broker/field_codec.hpp"
#include "storage/entry.hpp"

namespace holdfast::broker {

std::string encode(const std::vector<consensus::member>& members) {
    HOLDFAST_CHECK(members.size() <= most_members);
    field_writer out;
    out.put(static_cast<std::uint16_t>(members.size()));
    for (const auto& one : members)
        out.put_text(one.name).put_text(one.incarnation);
    return out.take();
}

result<std::vector<consensus::member>> decode_members(byte_view bytes) {
    field_reader in{bytes};
    std::vector<consensus::member> members;
    const auto count = in.take<std::uint16_t>();
    for (std::size_t i = 0; i < count && i < most_members && in.ok(); ++i) {
        const std::string name{in.take_text()};
        members.push_back({name, std::string{in.take_text()}});
    }
    if (!in.ok() || count > most_members || in.remaining() != 0)
        return error{errc::corrupted, "a list of the group's members can't be read"};
    return members;
}

std::vector<consensus::member> members_in(byte_view entry) {
    std::vector<consensus::member> found;
    command_cursor cursor{entry, storage::entry_header_size};
    while (!cursor.done()) {
        const auto command = cursor.next();
        if (!command.ok())
            break;
        if (command->header.kind != command_kind::members)
            continue;
        if (auto members = decode_members(command->payload); members.ok())
            found = std::move(*members);
    }
    return found;
}

std::string encode_runs(const consensus::term_runs& runs) {
    field_writer out;
    for (const auto& run : runs.all())
        out.put(run.first.value()).put(run.term.value());
    return out.take();
}

consensus::term_runs decode_runs(byte_view bytes) {
    consensus::term_runs runs;
    field_reader in{bytes};
    while (in.ok() && in.remaining() > 0) {
        const log_position first{in.take<std::uint64_t>()};
        runs.note(first, term_number{in.take<std::uint64_t>()});
    }
    return runs;
}

} // namespace holdfast::broker
