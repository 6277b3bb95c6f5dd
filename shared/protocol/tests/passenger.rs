//! The names and addresses of passengers: what a new booking may hold, and what stays readable.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use protocol::passenger::{Passenger, PassengerName};

#[test]
fn names_of_real_people_are_good() {
    for name in [
        "Ada Byron",
        "Žofia Müller-Łąkowska",
        "Zoe\u{308} O’Brien",
        "O'Brien, Jr.",
        "J.R.R. Tolkien",
        "J. R. R. Tolkien",
        "Martin Luther King, Jr.",
        "Sammy Davis Jr.",
        "X Æ A-12",
        "Björk Guðmundsdóttir",
        "李小龍",
        "山田　太郎",
        "渡邉\u{e0100}",
        "김철수",
        "أحمد",
        "مُحَمَّد",
        "דָּוִד",
        "नरेन्द्र मोदी",
        "தமிழ்ச்செல்வன்",
        "ประยุทธ์",
        "Владимир",
        "Ντίνος",
        "Ծովինար",
        "გიორგი",
        "ታደሰ",
        "ʻAkahi",
        "Louis 14",
        "-",
        &"ß".repeat(100),
    ] {
        assert!(PassengerName::of_new_booking(name).is_ok(), "{name:?}");
    }
}

/// The attack: our mail, from our address, with a stranger's text and link.
#[test]
fn a_name_carries_no_link_no_markup_and_no_text_that_reads_otherwise() {
    for name in [
        "evil.example",
        "Ada evil.example",
        "see www.evil.example",
        "evil.example.",
        "a.bc",
        ".evil",
        "e.vil.example",
        "J.R.R.Tolkien",
        "Ada..",
        "1.2.3.4",
        "evil。example",
        "evil．example",
        "evil․example",
        "https://evil.example",
        "evil/example",
        "evil\\example",
        "ada@evil",
        "Ada: you won",
        "Ada; you won",
        "Ada?",
        "Ada!",
        "\"Ada\"",
        "<b>Ada</b>",
        "Ada & Co",
        "Ada_Byron",
        "(Ada)",
        "[Ada]",
        "€100",
        "+43 1",
        "#1",
        "Ada\u{202e}noryB",
        "Ada\u{2066}Byron",
        "Ada\u{61c}",
        "Ada\u{200e}",
        "Ada\u{200b}Byron",
        "Ada\u{200c}Byron",
        "Ada\u{200d}Byron",
        "Ada\u{2060}Byron",
        "Ada\u{feff}",
        "Ada\u{ad}Byron",
        "Ada\u{34f}Byron",
        "\u{3164}",
        "\u{115f}\u{1160}",
        "\u{ffa0}",
        "Ada\u{2028}Byron",
        "Ada\u{a0}Byron",
        "Ada\tByron",
        "👩 Ada",
        "\u{e000}",
    ] {
        let refused = PassengerName::of_new_booking(name).unwrap_err().0;
        assert!(refused.starts_with("must "), "{name:?}: {refused}");
        assert!(!name.contains('\t') || refused.contains("control"), "{refused}");
    }
    for blank in ["", " ", "   ", "　"] {
        assert_eq!(PassengerName::of_new_booking(blank).unwrap_err().0, "must not be blank");
    }
    let long = "ß".repeat(101);
    assert_eq!(PassengerName::of_new_booking(&long).unwrap_err().0, "must have at most 100 characters");
}

/// Records and messages of before hold names that a new booking could not.
#[test]
fn a_name_that_is_stored_stays_readable() {
    for name in ["evil.example", "👩‍✈️ Ada", "Ada \u{202e}Byron", &"x".repeat(200)] {
        let stored = serde_json::json!({"name": name, "email": "ada@example.com"});
        let read: Passenger = serde_json::from_value(stored.clone()).unwrap();
        assert_eq!(read.name.as_str(), name);
        assert_eq!(serde_json::to_value(read).unwrap(), stored);
    }
}
