#include "protocol/cluster_status.hpp"

#include "protocol/json_body.hpp"

#include <algorithm>
#include <array>

namespace holdfast::protocol {

namespace {

constexpr std::string_view what = "cluster status";
// In the order of replica_role.
constexpr std::array<std::string_view, 4> role_names{"leader", "follower", "candidate", "learner"};

// A number that can't be negative.
template <class T>
bool read_unsigned(json_reader& from, const char* key, T& to) {
    std::int64_t number = 0;
    from.number(key, number);
    to = T{static_cast<std::uint64_t>(number)};
    return number >= 0;
}

error negative() {
    return {errc::malformed, std::string{what} + ": a position, term or lag is negative"};
}

json_value to_json(const replica_watermarks& marks) {
    return {{"first", marks.first.value()},
            {"appended", marks.appended.value()},
            {"flushed", marks.flushed.value()},
            {"committed", marks.committed.value()},
            {"applied", marks.applied.value()}};
}

result<replica_watermarks> watermarks_of(const json_value& object) {
    replica_watermarks marks;
    json_reader from{object, "watermarks"};
    bool good = read_unsigned(from, "first", marks.first);
    good = read_unsigned(from, "appended", marks.appended) && good;
    good = read_unsigned(from, "flushed", marks.flushed) && good;
    good = read_unsigned(from, "committed", marks.committed) && good;
    good = read_unsigned(from, "applied", marks.applied) && good;
    if (from.failure())
        return *from.failure();
    if (!good)
        return negative();
    return marks;
}

result<std::vector<replica_member>> members_of(const json_value& list) {
    std::vector<replica_member> members;
    for (const json_value& element : list) {
        replica_member& member = members.emplace_back();
        json_reader from{element, "group member"};
        from.required_text("name", member.name);
        from.text("incarnation", member.incarnation);
        from.boolean("voter", member.voter);
        from.text("address", member.address);
        if (from.failure())
            return *from.failure();
    }
    return members;
}

result<std::vector<follower_status>> followers_of(const json_value& list) {
    std::vector<follower_status> followers;
    for (const json_value& element : list) {
        follower_status& follower = followers.emplace_back();
        json_reader from{element, "follower"};
        from.required_text("name", follower.name);
        bool good = read_unsigned(from, "matched", follower.matched);
        good = read_unsigned(from, "lag_bytes", follower.lag_bytes) && good;
        from.number("last_heard_ms", follower.last_heard_ms);
        from.text("state", follower.state);
        if (from.failure())
            return *from.failure();
        if (!good)
            return negative();
    }
    return followers;
}

} // namespace

std::string_view to_string(replica_role role) {
    return role_names.at(static_cast<std::size_t>(role));
}

std::string encode_cluster_status(const cluster_status& status) {
    json_value members = json_value::array();
    for (const replica_member& each : status.members)
        members.push_back({{"name", each.name},
                           {"incarnation", each.incarnation},
                           {"voter", each.voter},
                           {"address", each.address}});
    json_value followers = json_value::array();
    for (const follower_status& each : status.followers)
        followers.push_back({{"name", each.name},
                             {"matched", each.matched.value()},
                             {"lag_bytes", each.lag_bytes},
                             {"last_heard_ms", each.last_heard_ms},
                             {"state", each.state}});
    return dump_json({{"group", status.group},
                      {"node", status.node},
                      {"role", to_string(status.role)},
                      {"term", status.term.value()},
                      {"leader", status.leader},
                      {"members", std::move(members)},
                      {"watermarks", to_json(status.watermarks)},
                      {"messages_got", status.messages_got},
                      {"followers", std::move(followers)}});
}

result<cluster_status> decode_cluster_status(byte_view body) {
    const auto parsed = parse_json_body(body, what);
    if (!parsed)
        return parsed.failure();
    cluster_status status;
    std::string role;
    json_reader from{*parsed, what};
    from.required_text("group", status.group);
    from.required_text("node", status.node);
    from.required_text("role", role);
    bool good = read_unsigned(from, "term", status.term);
    good = read_unsigned(from, "messages_got", status.messages_got) && good;
    from.text("leader", status.leader);
    auto members = members_of(from.array("members"));
    if (!members)
        return members.failure();
    auto marks = watermarks_of(from.object("watermarks"));
    if (!marks)
        return marks.failure();
    auto followers = followers_of(from.array("followers"));
    if (!followers)
        return followers.failure();
    if (from.failure())
        return *from.failure();
    if (!good)
        return negative();
    const auto* const named = std::find(role_names.begin(), role_names.end(), role);
    if (named == role_names.end())
        return error{errc::malformed, std::string{what} + ": there is no role '" + role + "'"};
    status.role = static_cast<replica_role>(named - role_names.begin());
    status.members = *std::move(members);
    status.watermarks = *marks;
    status.followers = *std::move(followers);
    return status;
}

} // namespace holdfast::protocol
